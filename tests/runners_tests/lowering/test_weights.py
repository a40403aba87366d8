"""A network comes back from its folder as it was, pruned, tied or both, and a file that does not fit is refused."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runners.lowering.recipe import rebuilt, recipe_of
from runners.lowering.weights import ARCHITECTURE, WEIGHTS, copy_network, load_network, save_network
from runners.runner import StageFailed
from runners.workloads.digits import SmallResidualNetwork
from runners.workloads.synthetic import make_network
from spaces.model_context import ModelContext
from spaces.slimming.slim import slim
from spaces.technique import Technique


def resnet18() -> nn.Module:
    from torchvision.models import resnet18

    return resnet18(num_classes=7)


def mobilenet_v3_small() -> nn.Module:
    from torchvision.models import mobilenet_v3_small

    return mobilenet_v3_small(num_classes=7)


class Tied(nn.Module):
    """Two layers with one weight, a norm with a shape, and a buffer that no state dictionary keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8, bias=False)
        self.second = nn.Linear(8, 8, bias=False)
        self.second.weight = self.first.weight
        self.norm = nn.LayerNorm(8)
        self.register_buffer("shift", torch.zeros(8), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.second(torch.relu(self.first(x)))) + self.shift


def _require_same(found: nn.Module, expected: nn.Module, example: Tensor) -> None:
    wanted = dict(expected.state_dict())
    assert found.state_dict().keys() == wanted.keys()
    for name, tensor in found.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    with torch.inference_mode():
        # Kernels may add up in another order where the memory lies differently.
        torch.testing.assert_close(found(example), expected.eval()(example), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("keep", [0.75, 0.125])
@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (make_network, (1, 1, 8, 8)),
        (SmallResidualNetwork, (1, 1, 32, 32)),
        (resnet18, (1, 3, 64, 64)),
        (mobilenet_v3_small, (1, 3, 64, 64)),
    ],
)
def test_a_slimmed_network_comes_back(
    build: Callable[[], nn.Module], shape: tuple[int, ...], keep: float, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network, example = build(), torch.randn(shape)
    slim(network, (example,), keep=keep)
    save_network(network, tmp_path)
    found = load_network(build, tmp_path)
    assert not found.training
    _require_same(found, network, example)


def test_a_loaded_network_can_be_slimmed_and_saved_again(tmp_path: Path) -> None:
    network, example = SmallResidualNetwork(), torch.randn(1, 1, 32, 32)
    for keep in (0.75, 0.5):
        slim(network, (example,), keep=keep)
        save_network(network, tmp_path)
        network = load_network(SmallResidualNetwork, tmp_path)
    save_network(network, tmp_path)
    _require_same(load_network(SmallResidualNetwork, tmp_path), network, example)


class TwoLayers(Technique):
    """Computes the last layer by two."""

    name = "two_layers"

    def apply(self, subject: nn.Module, settings: object, context: ModelContext | None) -> nn.Module:
        return subject

    def rebuild(self, network: nn.Module, record: Mapping[str, int]) -> nn.Module:
        assert isinstance(network, SmallResidualNetwork)
        network.classifier = nn.Sequential(nn.Linear(128, record["rank"]), nn.Linear(record["rank"], 10))
        return network


def test_a_network_with_other_layers_comes_back_slimmed_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runners.lowering.recipe.find_technique", {"two_layers": TwoLayers()}.__getitem__)
    recipe = [{"technique": "two_layers", "record": {"rank": 8}}]
    network, example = rebuilt(SmallResidualNetwork(), recipe), torch.randn(1, 1, 32, 32)
    slim(network, (example,), keep=0.5)
    save_network(network, tmp_path)
    found = load_network(SmallResidualNetwork, tmp_path)
    assert recipe_of(found) == tuple(recipe)
    _require_same(found, network, example)
    _require_same(copy_network(found, SmallResidualNetwork), network, example)


def test_shared_weights_are_written_once_and_shared_again(tmp_path: Path) -> None:
    network = Tied()
    network.shift.add_(1.0)
    save_network(network, tmp_path)
    assert sorted(load_file(tmp_path / WEIGHTS)) == ["first.weight", "norm.bias", "norm.weight", "shift"]
    found = load_network(Tied, tmp_path)
    assert found.first.weight is found.second.weight
    _require_same(found, network, torch.randn(3, 8))


def test_weights_that_were_shared_no_more_when_saved_come_back_apart(tmp_path: Path) -> None:
    network = Tied()
    network.second.weight = nn.Parameter(torch.randn(8, 8))
    save_network(network, tmp_path)
    found = load_network(Tied, tmp_path)
    assert found.first.weight is not found.second.weight
    _require_same(found, network, torch.randn(3, 8))


def test_frozen_weights_stay_frozen_and_the_layout_stays(tmp_path: Path) -> None:
    def build() -> nn.Module:
        network = SmallResidualNetwork().to(memory_format=torch.channels_last)
        network.stem.requires_grad_(False)
        return network

    save_network(build(), tmp_path)
    found = load_network(build, tmp_path)
    assert [p.requires_grad for p in found.parameters()] == [p.requires_grad for p in build().parameters()]
    assert found.blocks[1].first.weight.is_contiguous(memory_format=torch.channels_last)
    assert not found.blocks[1].first.weight.is_contiguous()


def test_what_was_unfrozen_when_saved_is_trained_though_the_class_freezes_it(tmp_path: Path) -> None:
    def build() -> nn.Module:
        network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
        network[0].requires_grad_(False)
        return network

    network = build()
    network[0].weight.requires_grad_(True)  # type: ignore[index, union-attr, operator]
    save_network(network, tmp_path)
    found = load_network(build, tmp_path)
    assert {name: p.requires_grad for name, p in found.named_parameters()} == {
        "0.weight": True,
        "0.bias": False,
        "1.weight": True,
        "1.bias": True,
    }


def test_a_loaded_network_trains(tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    found = load_network(make_network, tmp_path).train()
    before = copy.deepcopy(found.state_dict())
    optimizer = torch.optim.SGD(found.parameters(), lr=0.1)
    found(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(tensor, before[name]) for name, tensor in found.state_dict().items())


def _more_layers() -> nn.Module:
    return nn.Sequential(*make_network(), nn.Linear(4, 4))


def _other_rank() -> nn.Module:
    network = make_network()
    network[6].weight = nn.Parameter(torch.zeros(4, 16, 1))
    return network


def _more_weights() -> nn.Module:
    network = make_network()
    network[0].register_buffer("scale", torch.ones(1))
    return network


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (_more_layers, "layer '7' is missing from the file"),
        (lambda: make_network()[:6], "layer '6' is not in the network"),
        (_more_weights, r"tensor '0\.scale' is missing from the file"),
        (_other_rank, r"6\.weight has 2 dimensions"),
    ],
)
def test_a_file_of_another_network_is_refused(build: Callable[[], nn.Module], complaint: str, tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    with pytest.raises(StageFailed, match=complaint):
        load_network(build, tmp_path)


@pytest.mark.parametrize("name", [WEIGHTS, ARCHITECTURE])
@pytest.mark.parametrize("damage", ["missing", "empty", "torn"])
def test_a_damaged_file_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if damage != "missing":
        (tmp_path / name).write_bytes(content[: len(content) // 2] if damage == "torn" else b"")
    with pytest.raises(StageFailed, match="cannot be read"):
        load_network(make_network, tmp_path)


def test_the_files_are_safetensors_and_json_alone(tmp_path: Path) -> None:
    save_network(make_network(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARCHITECTURE, WEIGHTS]
    json.loads((tmp_path / ARCHITECTURE).read_text())
    save_file(load_file(tmp_path / WEIGHTS), tmp_path / WEIGHTS)
