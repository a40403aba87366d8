"""What the measurement benchmark uses: two real networks, a busy process beside them, the protocols of others."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils import benchmark

from runners.backend import Trained
from runners.backends import find_backend
from runners.chains.chain import SEARCHING_S
from runners.lowering.onnx_export import export
from runners.lowering.torch_predictor import torch_predictor
from runners.measuring.calls import Call
from runners.workloads.digits import WORKLOAD
from spaces.model_context import ModelContext
from spaces.techniques.student_width import TECHNIQUE

WIDTH = 0.25
RUNTIME = "onnxruntime"
MULTIPLY = """
import os, sys, time
core, pause_s = int(sys.argv[1]), float(sys.argv[2])
os.sched_setaffinity(0, [core])
import numpy as np
a = np.ones((768, 768), dtype=np.float32)
print("ready", flush=True)
parent = os.getppid()
while os.getppid() == parent:  # it does not outlive a benchmark that was killed
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        a @ a
    time.sleep(pause_s)
"""


def two_cores() -> list[int]:
    """Two cores of this machine: one to measure on, and one for a busy process too."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the benchmark needs two cores: one to measure on, one for a busy process")
    return cores[:2]


def eager_teacher(threads: int) -> Call:
    """A call of a newly built digits teacher, eager fp32, one image."""
    predictor, example = torch_predictor(WORKLOAD.model().eval(), threads), WORKLOAD.example_inputs
    return lambda: predictor(*example.arrays)


def lowered_teacher(runtime: str, threads: int) -> Call:
    """A call of a newly built digits teacher in a runtime, fp32, one image."""
    return _lowered(WORKLOAD.model().eval(), runtime, threads)


def student() -> Call:
    """A call of the narrow student, lowered, one thread, one image. Its weights are new: they take the same time."""
    context = ModelContext((torch.from_numpy(WORKLOAD.example_inputs.arrays[0]),), 0, WORKLOAD.model)
    return _lowered(TECHNIQUE.apply(WORKLOAD.model(), {"student_width": WIDTH}, context).eval(), RUNTIME, 1)


def _lowered(network: nn.Module, runtime: str, threads: int) -> Call:
    example, backend = WORKLOAD.example_inputs, find_backend(runtime)
    with tempfile.TemporaryDirectory() as name:
        exported, folder = Path(name) / "exported.onnx", Path(name) / "artifact"
        folder.mkdir()
        export(network, example, exported)
        backend.lower(Trained(network, lambda: exported, example, "fp32"), folder)
        predictor = backend.open(folder, threads=threads, batch=1)
    return lambda: predictor(*example.arrays)


class BackgroundLoad:
    """A process that multiplies matrices on one core while it is `busy`, and stands still otherwise."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def set(self, busy: bool) -> None:
        """Go on or stand still, and let the machine settle for a moment."""
        self._process.send_signal(signal.SIGCONT if busy else signal.SIGSTOP)
        time.sleep(0.1)


@contextmanager
def background_load(core: int, *, half: bool = False) -> Iterator[BackgroundLoad]:
    """A process on ``core``, idle at first; it ends with the block.

    Args:
        core: Where it runs.
        half: Whether, while busy, it computes for half of the time, 50 ms in turn with as many of rest.
    """
    alone = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-c", MULTIPLY, str(core), str(0.05 if half else 0)]
    with subprocess.Popen(command, env={**os.environ, **alone}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        one = BackgroundLoad(process)
        one.set(busy=False)
        try:
            yield one
        finally:
            process.kill()


def speedup_by(latency: Callable[[Call], float]) -> Callable[[Call, Call], float]:
    """A protocol that times one network after the other, each by ``latency`` in seconds."""
    return lambda candidate, baseline: latency(baseline) / latency(candidate)


def mean_of_20(call: Call) -> float:
    """10 warm-ups, 20 calls, their mean."""
    for _ in range(10):
        call()
    return float(np.mean(_times(call, 20)))


def mean_of_the_same_time(call: Call) -> float:
    """The mean of as many calls as take half of the time of a search's timing, after 10 warm-ups."""
    times = [mean_of_20(call)]
    while sum(times) < SEARCHING_S / 2:
        times += _times(call, 20)
    return float(np.mean(times[1:]))


def best_of_50(call: Call) -> float:
    """The fastest of 50 calls after 10 warm-ups."""
    for _ in range(10):
        call()
    return min(_times(call, 50))


def torch_benchmark(call: Call) -> float:
    """The median of `torch.utils.benchmark` with its own block sizes and its default of 0.2 s."""
    return float(benchmark.Timer("call()", globals={"call": call}, num_threads=1).blocked_autorange().median)


def _times(call: Call, count: int) -> list[float]:
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return times
