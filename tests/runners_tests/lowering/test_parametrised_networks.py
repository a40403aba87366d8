"""Networks with weight norm or spectral norm are stored, copied, slimmed and lowered for every runtime."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs, one_by_one
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.lowering.weights import copy_network, load_network, save_network
from runners.stages.transforming import change_network, initial_network
from runners.workload import SPLITS, Workload
from spaces.model_context import ModelContext
from spaces.network_changes.parametrisations import remove_parametrisations
from spaces.space_document import all_techniques

Build = Callable[[], nn.Module]
KINDS = {
    "older weight norm": nn.utils.weight_norm,
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
}


def make_network(kind: str) -> nn.Module:
    """Convolutions over time: inputs (n, 3, 16), three outputs."""
    wrap = KINDS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(
            wrap(nn.Conv1d(3, 16, 3, padding=1)),
            nn.ReLU(),
            wrap(nn.Conv1d(16, 16, 3, padding=2, dilation=2)),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(16, 3),
        )


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest) -> Build:
    torch.manual_seed(0)
    return partial(make_network, request.param)


@pytest.fixture
def inputs() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(8, 3, 16)).astype(np.float32))


def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.inference_mode():
        return network.eval()(inputs)  # type: ignore[no-any-return]


def test_it_comes_back_parametrised_or_plain_as_it_was_saved(build: Build, inputs: Tensor, tmp_path: Path) -> None:
    network = build()
    expected = answer(network, inputs)
    save_network(network, tmp_path)
    found = load_network(build, tmp_path)
    assert found.state_dict().keys() == network.state_dict().keys()
    torch.testing.assert_close(answer(found, inputs), expected)
    remove_parametrisations(network)
    save_network(network, tmp_path)
    plain = load_network(build, tmp_path)
    assert len(plain.state_dict()) == 6
    torch.testing.assert_close(answer(plain, inputs), expected)


def test_a_copy_is_one_of_its_own(build: Build, inputs: Tensor) -> None:
    network = build()
    expected = answer(network, inputs)
    copied = copy_network(network, build)
    torch.testing.assert_close(answer(copied, inputs), expected)
    copied.bfloat16()
    torch.testing.assert_close(answer(network, inputs), expected)


@pytest.mark.parametrize("settings", [{"channel_pruning": 0.5}, {"student_width": 0.5}])
def test_its_channels_are_removed(build: Build, inputs: Tensor, settings: dict[str, float], tmp_path: Path) -> None:
    (technique,) = (found for found in all_techniques() if found.name in settings)
    workload = Workload(
        "parametrised", build, lambda: dict.fromkeys(SPLITS, (inputs, range(len(inputs)))), pretrained=True
    )
    context = ModelContext((inputs[:1],), 0, partial(initial_network, workload))
    changed = change_network(build(), technique, settings, context)
    assert changed[2].weight.shape == (8, 8, 3)  # type: ignore[index, union-attr]
    save_network(changed, tmp_path)
    torch.testing.assert_close(answer(load_network(build, tmp_path), inputs), answer(changed, inputs))


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [
        ("eager", "bf16"),
        ("torchscript", "fp32"),
        ("torchscript", "bf16"),
        ("onnxruntime", "fp32"),
        ("openvino", "int8"),
    ],
)
def test_it_is_lowered(build: Build, inputs: Tensor, runtime: str, precision: str, tmp_path: Path) -> None:
    network = build()
    expected = answer(network, inputs)
    remove_parametrisations(network)
    exported, quantised, folder = tmp_path / "exported.onnx", tmp_path / "quantised.onnx", tmp_path / "lowered"

    def onnx() -> Path:
        export(network, ExampleInputs.of(inputs[:1].numpy()), exported)
        if precision == "int8":
            quantise_int8(exported, one_by_one(inputs.numpy()), quantised)
        return quantised if precision == "int8" else exported

    folder.mkdir()
    find_backend(runtime).lower(Trained(network, onnx, ExampleInputs.of(inputs[:1].numpy()), precision, build), folder)
    found = find_backend(runtime).open(folder, threads=1, batch=8, build=build)(inputs.numpy())
    allowed = {"fp32": 1e-4, "bf16": 3e-2, "int8": 0.3}[precision] * float(expected.abs().max())
    assert np.abs(found - expected.numpy()).max() < allowed


def test_a_network_that_keeps_what_it_computed_is_copied_all_the_same(inputs: Tensor, tmp_path: Path) -> None:
    class Remembers(nn.Sequential):
        def forward(self, given: Tensor) -> Tensor:
            self.last = super().forward(given)
            return self.last  # type: ignore[no-any-return]

    def build_one() -> nn.Module:
        return Remembers(nn.Flatten(), nn.Linear(48, 3))

    network = build_one()
    network(inputs)
    expected = answer(network, inputs)
    torch.testing.assert_close(answer(copy_network(network, build_one), inputs), expected)
    network(inputs)
    for runtime in ("eager", "torchscript"):
        (tmp_path / runtime).mkdir()
        backend = find_backend(runtime)
        backend.lower(
            Trained(network, Path, ExampleInputs.of(inputs[:1].numpy()), "bf16", build_one), tmp_path / runtime
        )
        found = backend.open(tmp_path / runtime, threads=1, batch=8, build=build_one)(inputs.numpy())
        assert np.abs(found - expected.numpy()).max() < 3e-2 * float(expected.abs().max())
