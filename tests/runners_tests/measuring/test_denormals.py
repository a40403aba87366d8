"""Denormal numbers count as zero wherever a network is timed or served, on every thread of it."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from runners.backend import Trained
from runners.backends import all_backends, find_backend
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.torch_predictor import torch_predictor
from runners.measuring.opening import Artifact, Baseline
from runners.measuring.pair import prepare_process
from runners.processes.fresh_process import call_fresh

SIDE = 128
EXAMPLE = np.full((1, 16, SIDE, SIDE), 1e-9, np.float32)
"""Large enough for PyTorch to use several threads."""
TIMES = 200
RUNTIMES = [
    pytest.param(name, marks=pytest.mark.slow if backend.compiles else ())
    for name, backend in all_backends().items()
    if backend.unsupported() is None
]


class Tiny(nn.Module):
    """Answers to `EXAMPLE` with numbers of 2e-39, although no weight is denormal."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((16, SIDE, SIDE), 1e-30))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.relu(inputs * self.weight) * 2.0


def normalised() -> nn.Sequential:
    """A network in which GELU takes most of the time.

    On an AMD EPYC, GELU, softmax and average pooling take 1.5 to 2.7 times as long on denormal numbers; convolutions
    and matrix products do not.
    """
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16), *(nn.GELU() for _ in range(8))).eval()


def share_of_zeros(opened: Artifact | Baseline, threads: int) -> float:
    prepare_process(threads)
    return float(np.mean(opened.open(Tiny)(EXAMPLE) == 0))


def shortest_ms(flushes: bool) -> list[float]:
    """The shortest calls of a new network, one like a trained one, and one whose weights decayed to 1e-39, in turn."""
    if flushes:
        prepare_process(1)
    networks = [normalised() for _ in range(3)]
    for layer in networks[1].modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 2.0)
            layer.running_mean.uniform_(-1, 1)  # type: ignore[union-attr, operator]
    for layer in networks[2].modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.fill_(1e-39)
    calls = [torch_predictor(network, 1) for network in networks]
    example = np.random.default_rng(0).standard_normal((1, 16, 44, 44), np.float32)
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(TIMES):
        for call, taken in zip(calls, times, strict=True):
            call(example)
            begin = time.perf_counter()
            call(example)
            taken.append(1e3 * (time.perf_counter() - begin))
    return [min(taken) for taken in times]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the folder of a runtime: `Tiny` as it is lowered, and as it is exported in its folder ``shipped``."""
    root, network, example = tmp_path_factory.mktemp("tiny"), Tiny().eval(), ExampleInputs.of(EXAMPLE)
    export(network, example, root / "tiny.onnx")

    @cache
    def lowered(runtime: str) -> Path:
        backend, folder = find_backend(runtime), root / runtime
        folder.mkdir()
        backend.lower(Trained(network, lambda: root / "tiny.onnx", example, "fp32", Tiny), folder)
        shipped = root / f"{runtime} shipped"
        shipped.mkdir()
        backend.ship(folder, shipped, Tiny, example)
        shipped.rename(folder / "shipped")
        return folder

    return lowered


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_timed_takes_denormal_numbers_for_zero_on_all_threads(
    runtime: str, threads: int, folder: Callable[[str], Path]
) -> None:
    opened = Artifact(folder(runtime), runtime, threads)
    assert call_fresh(share_of_zeros, opened, threads, what="the process") == 1.0


@pytest.mark.parametrize("threads", [1, 2])
def test_so_does_the_baseline(threads: int) -> None:
    assert call_fresh(share_of_zeros, Baseline(None, threads), threads, what="the process") == 1.0


@pytest.mark.parametrize(
    "runtime", [each for each in RUNTIMES if each.values != ("ncnn",)]
)  # has no setting for it in Python
def test_so_does_predict_py_of_an_exported_folder(runtime: str, folder: Callable[[str], Path]) -> None:
    program = f"""
import numpy as np
from pathlib import Path
{find_backend(runtime).loader_source()}
outputs = load(Path({str(folder(runtime) / "shipped")!r}), 2)(np.full({EXAMPLE.shape}, 1e-9, np.float32))
print(float(np.mean(outputs == 0)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "1.0", done.stderr


def test_a_serving_replica_of_a_torch_runtime_does_too(folder: Callable[[str], Path]) -> None:
    """It opens its artifact without `prepare_process`, as it imports nothing that its runtime does not need."""
    program = f"""
import numpy as np
from pathlib import Path
from runners.measuring.opening import Artifact
predict = Artifact(Path({str(folder("torchscript"))!r}), "torchscript", 2).open(None)
print(float(np.mean(predict(np.full({EXAMPLE.shape}, 1e-9, np.float32)) == 0)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "1.0", done.stderr


def test_new_trained_and_denormal_weights_take_the_same_time() -> None:
    """Within 40 %: the three were within 1 % of each other, and the third took 80 % longer without the setting."""
    times = call_fresh(shortest_ms, True, what="the process")
    assert max(times) < 1.4 * min(times), times
