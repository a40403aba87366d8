"""What a fresh process is asked to time: lowered artifacts and the baseline, how they are opened, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from runners.backend import Predictor
from runners.backends import find_backend
from runners.measuring.calls import Call, Pass
from runners.measuring.stopwatch import TimingSettings
from runners.measuring.varied_inputs import inputs_to_time
from runners.workload import Workload


@dataclass(frozen=True)
class Artifact:
    """A lowered artifact: the folder of its files, the name of its backend, and the threads of one call.

    ``tuned`` is that of the `Baseline` beside which it is timed: what runs in torch is treated alike. Above 1,
    ``timed_inputs`` are the calls of a `runners.measuring.calls.Pass`, as its speed depends on the inputs.
    """

    folder: Path
    runtime: str
    threads: int
    tuned: bool = False
    timed_inputs: int = 1

    def open(self, build: Callable[[], Any], batch: int = 1) -> Predictor:
        """A predictor for calls of ``batch`` inputs; ``build`` makes the network where the files hold weights alone."""
        predictor = find_backend(self.runtime).open(self.folder, threads=self.threads, batch=batch, build=build)
        return _tuned(predictor) if self.tuned else predictor


@dataclass(frozen=True)
class Original:
    """The network that an artifact was lowered from: the folder of its weights, and the precision it was lowered to."""

    folder: Path
    precision: str

    def require_agreement(self, predictor: Predictor, workload: Workload, artifact: Artifact) -> None:
        """Raise `StageFailed` where ``artifact`` gives other outputs than this network, called on as many threads.

        Args:
            predictor: The opened artifact.
            workload: Makes the network, and gives the rows on which they are compared.
            artifact: Its runtime may explain more than its number format does.
        """
        import torch

        from runners.lowering.agreement import require_agreement, tolerance_of
        from runners.lowering.weights import load_network
        from runners.machine.accelerator import accelerated

        network = load_network(workload.network, self.folder)
        tolerance = tolerance_of(self.precision, accelerated(), find_backend(artifact.runtime).rough_because)
        torch.set_num_threads(artifact.threads)
        split, dynamic = workload.splits["validation"], workload.example_inputs.dynamic
        require_agreement(predictor, network, split, tolerance, dynamic)


@dataclass(frozen=True)
class Baseline:
    """The teacher in eager fp32: the folder of its weights, or None for new ones, and the threads of one call.

    New weights take the same time. With ``tuned`` an accelerator computes with TF32 and in channels_last.
    """

    folder: Path | None
    threads: int
    tuned: bool = False

    def open(self, build: Callable[[], Any], batch: int = 1) -> Predictor:
        """A predictor, for calls of any size; ``build`` makes the network with new weights."""
        from runners.lowering.torch_predictor import torch_predictor
        from runners.lowering.weights import load_network
        from spaces.network_changes.parametrisations import remove_parametrisations

        network = load_network(build, self.folder) if self.folder else build().eval()
        remove_parametrisations(network)  # as its owner would do before serving it
        predictor = torch_predictor(network, self.threads)
        return _tuned(predictor) if self.tuned else predictor


def _tuned(predictor: Predictor) -> Predictor:
    from runners.lowering.torch_predictor import tuned

    return tuned(predictor)


def call_to_time(opened: Artifact | Baseline, predictor: Predictor, workload: Workload, batch: int) -> Call:
    """A call of ``predictor`` with ``batch`` inputs: always the same, or all that its speed has to be measured on."""
    if isinstance(opened, Artifact) and opened.timed_inputs > 1:
        return Pass([partial(predictor, *each) for each in inputs_to_time(workload, batch, opened.timed_inputs)])
    example = workload.example_inputs.repeated(batch)
    return lambda: predictor(*example)


@dataclass(frozen=True)
class TimingRequest:
    """What is timed against what, and how.

    Attributes:
        workload: Its reference.
        candidates: What is timed; the baseline among them is opened a second time.
        baseline: What all are compared with.
        settings: How long and how precisely.
        batch: Inputs of one call.
    """

    workload: Any
    candidates: tuple[Artifact | Baseline, ...]
    baseline: Baseline
    settings: TimingSettings
    batch: int = 1

    @property
    def cores(self) -> int:
        """The number of cores on which all are timed: the most threads that one of them has."""
        return max(opened.threads for opened in (self.baseline, *self.candidates))
