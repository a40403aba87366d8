"""Batch-norm folding and the memory format: the outputs stay, and an option that changes nothing is told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.network_options import in_channels_last, with_batch_norms_folded
from runners.runner import StageFailed

IMAGES = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
EXAMPLE = ExampleInputs.of(IMAGES[:1].numpy())
OPTIONS = {"batch_norm_folding": True, "memory_format": "channels_last"}


def make() -> nn.Module:
    """Two convolutions, one of them followed by a batch normalisation with statistics of its own."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(64, 2)
    )
    for buffer in (network[1].running_mean, network[1].running_var):
        nn.init.uniform_(buffer, 0.5, 2.0)
    return network.eval()


class Branches(nn.Sequential):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) if inputs.sum() > 0 else super().forward(-inputs)


def outputs(network: Any) -> Tensor:
    with torch.inference_mode():
        return network(IMAGES)  # type: ignore[no-any-return]


@pytest.mark.parametrize("decides", [False, True], ids=["a plain network", "one that decides on its data"])
def test_a_folded_network_has_no_batch_normalisation_and_the_same_outputs(decides: bool) -> None:
    made = Branches(*make()) if decides else make()
    folded = with_batch_norms_folded(made.eval(), EXAMPLE)
    assert not [layer for layer in folded.modules() if isinstance(layer, nn.BatchNorm2d)]
    expected = Branches(*make()).eval() if decides else make()
    torch.testing.assert_close(outputs(folded), outputs(expected), atol=1e-5, rtol=1e-4)


def test_channels_last_lays_out_the_weights_and_the_activations() -> None:
    network: Any = in_channels_last(make())
    assert network[3](network[0](IMAGES)).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(outputs(network), outputs(make()), atol=1e-5, rtol=1e-4)


def test_an_option_that_changes_nothing_is_told() -> None:
    with pytest.raises(StageFailed, match="batch_norm_folding changes nothing"):
        with_batch_norms_folded(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval(), EXAMPLE)
    with pytest.raises(StageFailed, match="channels_last changes nothing"):
        in_channels_last(nn.Sequential(nn.Linear(3, 4)))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_eager_applies_them_where_it_opens_and_where_it_ships(precision: str, tmp_path: Path) -> None:
    backend = find_backend("eager")
    assert set(OPTIONS) == set(backend.takes)
    folder, shipped = tmp_path / "lowered", tmp_path / "shipped"
    folder.mkdir(), shipped.mkdir()
    given = make()
    backend.lower(Trained(given, lambda: folder, EXAMPLE, precision, make, OPTIONS), folder)
    assert isinstance(given[1], nn.BatchNorm2d), "the trained network itself stays as it is"
    assert json.loads((folder / "eager.json").read_text())["memory_format"] == "channels_last"
    backend.ship(folder, shipped, make, EXAMPLE)
    targets = {str(node.target) for node in torch.export.load(shipped / "model.pt2").graph.nodes}
    assert "aten.conv2d.default" in targets
    assert not [target for target in targets if "batch_norm" in target]
    expected = outputs(given).numpy()
    for place in (folder, shipped):
        answer = backend.open(place, threads=1, batch=1, build=make)(IMAGES.numpy())
        assert np.abs(answer - expected).max() <= (1e-4 if precision == "fp32" else 3e-2) * np.abs(expected).max()
