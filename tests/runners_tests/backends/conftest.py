"""A trained network and its inputs, from which the backends lower."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends.short_training import trained_shortly

from runners.workloads.synthetic import make_network, make_splits


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backends")


@pytest.fixture(scope="module")
def inputs(place: Path) -> Any:
    found = make_splits()["validation"][0]
    np.save(place / "inputs.npy", found)
    return found


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """The synthetic network, trained for a second."""
    torch.manual_seed(0)
    return trained_shortly(make_network())


@pytest.fixture(scope="module")
def reference(network: torch.nn.Module, inputs: Any) -> Any:
    with torch.inference_mode():
        return network(torch.from_numpy(inputs)).numpy()
