"""What a fresh process is asked to time: lowered artifacts and the baseline, how they are opened, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.backend import Predictor
from runners.backends import find_backend
from runners.measuring.stopwatch import TimingSettings
from runners.workload import Workload


@dataclass(frozen=True)
class Artifact:
    """A lowered artifact: the folder of its files, the name of its backend, and the threads of one call.

    ``tuned`` is that of the `Baseline` beside which it is timed: what runs in torch is treated alike.
    """

    folder: Path
    runtime: str
    threads: int
    tuned: bool = False

    def open(self, build: Callable[[], Any], batch: int = 1) -> Predictor:
        """A predictor for calls of ``batch`` inputs; ``build`` makes the network where the files hold weights alone."""
        predictor = find_backend(self.runtime).open(self.folder, threads=self.threads, batch=batch, build=build)
        return _tuned(predictor) if self.tuned else predictor


@dataclass(frozen=True)
class Original:
    """The network that an artifact was lowered from: the folder of its weights, and the precision it was lowered to."""

    folder: Path
    precision: str

    def require_agreement(self, predictor: Predictor, workload: Workload, threads: int) -> None:
        """Raise `StageFailed` where ``predictor``, the opened artifact, gives other outputs than this network.

        Args:
            predictor: The artifact.
            workload: Makes the network, and gives the rows on which they are compared.
            threads: Threads of the network's calls.
        """
        import torch

        from runners.lowering.agreement import ON_ACCELERATOR, TOLERANCES, require_agreement
        from runners.lowering.weights import load_network
        from runners.machine.accelerator import accelerated

        network = load_network(workload.network, self.folder)
        tolerance = ON_ACCELERATOR if self.precision == "fp32" and accelerated() else TOLERANCES[self.precision]
        torch.set_num_threads(threads)
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
        from spaces.parametrisations import remove_parametrisations

        network = load_network(build, self.folder) if self.folder else build().eval()
        remove_parametrisations(network)  # as its owner would do before serving it
        predictor = torch_predictor(network, self.threads)
        return _tuned(predictor) if self.tuned else predictor


def _tuned(predictor: Predictor) -> Predictor:
    from runners.lowering.torch_predictor import tuned

    return tuned(predictor)


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
