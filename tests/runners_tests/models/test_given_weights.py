"""Which weights a model comes with, and what is said of them before a search."""

from pathlib import Path

import torch
from torch import Tensor, nn

from runners.executors.inspection import _start_note
from runners.models.given_weights import comes_with_weights, given_weights
from runners.workload import Workload
from runners.workloads.synthetic import make_splits


def network() -> nn.Sequential:
    """Drawn at random but for the constants of its normalisation, and for a table that is not trained."""
    made = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 4))
    made.register_buffer("table", torch.arange(6.0).reshape(2, 3))
    return made


def with_weights() -> nn.Sequential:
    """The same with the weights of one layer loaded."""
    made = network()
    made[2].weight = nn.Parameter(_loaded())
    return made


def _loaded() -> Tensor:
    return torch.linspace(-1, 1, 256).reshape(4, 64)


def test_weights_that_are_the_same_at_each_call_are_told_and_constants_are_not() -> None:
    assert set(given_weights(with_weights)) - set(given_weights(network)) == {"2.weight"}
    assert not comes_with_weights(network)
    assert comes_with_weights(with_weights)
    told = _start_note(Workload("w", with_weights, make_splits), "w.py")
    assert told.startswith("the training starts from the weights that model() gives")


def test_the_file_of_a_study_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "backbone.safetensors").write_bytes(b"")
    reference = {
        "model": "torchvision:resnet18",
        "data": {"imagefolder": str(tmp_path)},
        "weights": str(tmp_path / "backbone.safetensors"),
        "new_head": True,
    }
    told = _start_note(Workload("w", network, make_splits), reference)
    assert told == f"the training starts from {tmp_path}/backbone.safetensors, with a new head"
