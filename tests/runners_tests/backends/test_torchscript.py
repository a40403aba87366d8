"""TorchScript serves a graph as it was frozen where its optimised form has no operator of a shape."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs

TORCHSCRIPT = find_backend("torchscript")


def pooled_to(places: int) -> nn.Module:
    """A network of 4 x 4 pictures whose pooling gives ``places`` places a side."""
    torch.manual_seed(0)
    pool = nn.AdaptiveAvgPool2d(places)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(8 * places**2, 4))


@pytest.mark.parametrize("places", [2, 6])
def test_a_pooling_to_more_places_than_there_are_runs_and_any_other_network_is_optimised(
    places: int, tmp_path: Path
) -> None:
    network = pooled_to(places).eval()
    inputs = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    TORCHSCRIPT.lower(Trained(network, Path, ExampleInputs.of(inputs[:1]), "fp32"), tmp_path)
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    shipped: dict[str, Any] = {}
    exec(TORCHSCRIPT.loader_source(), shipped)
    for predict in (TORCHSCRIPT.open(tmp_path, threads=1, batch=1), shipped["load"](tmp_path, 1)):
        np.testing.assert_allclose(predict(inputs), expected, atol=1e-5)
    assert (tmp_path / "torchscript.json").read_text() == f'{{"optimised": {"true" if places == 2 else "false"}}}'
