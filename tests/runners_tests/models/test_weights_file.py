"""Trained weights come out of safetensors and state dicts, and out of nothing that can run code."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from guides import ROOT, example
from safetensors.torch import save_file
from torch import nn

from runners.models.torchvision_models import build
from runners.models.weights_file import load_weights
from runners.workload_loading.user_module import load_module
from spaces.errors import RequestError


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.fixture
def trained() -> nn.Module:
    torch.manual_seed(3)
    return network()


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
        lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
        lambda state: {f"_orig_mod.{name}": value for name, value in state.items()},
    ],
)
def test_a_state_dict_is_found_alone_in_a_checkpoint_and_behind_wrappers(
    tmp_path: Path, trained: nn.Module, wrapped: Any
) -> None:
    torch.save(wrapped(trained.state_dict()), tmp_path / "weights.pt")
    loaded = load_weights(network(), tmp_path / "weights.pt")
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in trained.state_dict().items())


def test_safetensors_are_read(tmp_path: Path, trained: nn.Module) -> None:
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    loaded = load_weights(network(), str(tmp_path / "weights.safetensors"))
    assert torch.equal(loaded.state_dict()["0.weight"], trained.state_dict()["0.weight"])


class Trap:
    """A pickle that runs a command where it is loaded with trust."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


def test_a_file_that_could_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    torch.save({"weights": Trap(tmp_path / "sprung")}, tmp_path / "weights.pt")
    with pytest.raises(RequestError, match=r"weights\.pt holds more than tensors .*; save model\.state_dict\(\) alone"):
        load_weights(network(), tmp_path / "weights.pt")
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(RequestError, match=r"whole\.pt holds more than tensors and plain values"):
        load_weights(network(), tmp_path / "whole.pt")
    assert not (tmp_path / "sprung").exists()


def test_what_does_not_fit_is_one_sentence(tmp_path: Path, trained: nn.Module) -> None:
    state = trained.state_dict()
    for changed, sentence in (
        (
            {name: value for name, value in state.items() if name != "0.bias"},
            r"does not fit Sequential: it has no 0\.b",
        ),
        ({**state, "0.bias": torch.zeros(5)}, r"0\.bias is \(5,\) where the model has \(4,\)"),
        ({**state, "more": torch.zeros(1)}, "the model has no more"),
        ({"epoch": 3}, r"holds the keys epoch and no weights; save model\.state_dict\(\)"),
        ([1, 2], r"holds list and no weights"),
    ):
        torch.save(changed, tmp_path / "weights.pt")
        with pytest.raises(RequestError, match=sentence) as refusal:
            load_weights(network(), tmp_path / "weights.pt")
        assert "\n" not in str(refusal.value)
    (tmp_path / "text.pth").write_text("no weights")
    for name in ("text.pth", "gone.pt", "gone.safetensors"):
        with pytest.raises(RequestError, match=rf"{name} (cannot be read as|holds more)"):
            load_weights(network(), tmp_path / name)


def test_a_new_head_keeps_its_weights_and_all_else_comes_from_the_file(tmp_path: Path, trained: nn.Module) -> None:
    torch.save(nn.Sequential(*trained, nn.Linear(4, 7)).state_dict(), tmp_path / "weights.pt")
    other = nn.Sequential(*network(), nn.Linear(4, 2))
    head = other[2].weight.clone()
    loaded = load_weights(other, tmp_path / "weights.pt", new_head="2")
    assert torch.equal(loaded[0].weight, trained[0].weight)
    assert torch.equal(loaded[2].weight, head)


def test_a_backbone_without_a_head_fits_where_the_head_is_new(tmp_path: Path, trained: nn.Module) -> None:
    save_file(trained.state_dict(), tmp_path / "backbone.safetensors")
    other = nn.Sequential(*network(), nn.Linear(4, 2))
    assert torch.equal(
        load_weights(other, tmp_path / "backbone.safetensors", new_head="2")[0].weight, trained[0].weight
    )


def test_what_does_not_fit_beside_the_head_is_named_with_what_is_most_like_it(
    tmp_path: Path, trained: nn.Module
) -> None:
    other = nn.Sequential(*network(), nn.Linear(4, 2))
    state = trained.state_dict()
    renamed = {name.replace("0.bias", "0.biases"): value for name, value in state.items()}
    for given, head, sentence in (
        (renamed, "2", r"does not fit Sequential: it has no 0\.bias, and 0\.biases is most like it"),
        ({**state, "0.bais": state["0.bias"]}, "2", r"the model has no 0\.bais, and 0\.bias is most like it"),
        ({**state, "0.bias": torch.zeros(5)}, "2", r"0\.bias is \(5,\) where the model has \(4,\)"),
        (state, "fc", r"Sequential has no layer 'fc' with weights; give the name of the one that makes its outputs"),
    ):
        torch.save(given, tmp_path / "weights.pt")
        with pytest.raises(RequestError, match=sentence):
            load_weights(other, tmp_path / "weights.pt", new_head=head)


def test_the_example_of_transfer_learning_begins_with_the_weights_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "transfer.py").write_text(example(ROOT / "runners" / "README.md", "transfer.py"))
    theirs = build("resnet18", classes=10, size=64).state_dict()
    save_file(theirs, tmp_path / "backbone.safetensors")
    own = load_module(str(tmp_path / "transfer.py")).make_network().state_dict()
    assert own["fc.weight"].shape == (5, 512)
    assert all(torch.equal(own[name], theirs[name]) for name in own if not name.startswith("fc."))
