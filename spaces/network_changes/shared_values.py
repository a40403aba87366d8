"""Weights of a layer that share a few values, which are trained in their place; imports torch only when called."""

from collections.abc import Mapping
from functools import cache
from typing import Any

SAMPLE = 10_000
"""Weights of a layer from which its values are found; the clusters of more are the same."""


def share_values(layer: Any, most: int) -> int:
    """Let the weights of ``layer`` share at most ``most`` values, the centres of their clusters; how many there are.

    They are found by k-means from evenly spread centres (Han et al., arXiv 1510.00149, section 3.2). Where weights are
    zero, that is one of the values, and stays zero.
    """
    import numpy as np
    import torch

    weight = layer.weight.detach().numpy()
    zero = weight == 0
    centres = _centres(np.sort(weight[~zero]), most - int(zero.any()))
    nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, weight)
    index = np.where(zero, 0, nearest + 1) if zero.any() else nearest
    _share(layer, torch.from_numpy(index.astype(np.int32)), len(centres) + int(zero.any()), bool(zero.any()))
    return len(centres) + int(zero.any())


def rebuild_shared_values(network: Any, counts: Mapping[str, int]) -> None:
    """Let layers share values again, so many each by their names; which and where is set afterwards."""
    import torch

    for name, count in counts.items():
        layer = network.get_submodule(name)
        _share(layer, torch.zeros(layer.weight.shape, dtype=torch.int32), count, False)


def _centres(values: Any, count: int) -> Any:
    """The centres of the clusters of sorted ``values``, rising, at most ``count``."""
    import numpy as np
    from sklearn.cluster import KMeans

    distinct = np.unique(values)
    if len(distinct) <= count:
        return distinct
    sample = values[np.linspace(0, len(values) - 1, min(len(values), SAMPLE)).astype(int)]
    spread = np.linspace(values[0], values[-1], count)[:, None]
    found = KMeans(count, init=spread, n_init=1, max_iter=30).fit(sample[:, None])
    return np.unique(found.cluster_centers_.astype(values.dtype))


def _share(layer: Any, index: Any, count: int, has_zero: bool) -> None:
    from torch.nn.utils import parametrize

    parametrize.register_parametrization(layer, "weight", _shared()(index, count, has_zero), unsafe=True)


@cache
def _shared() -> Any:
    import torch
    from torch import Tensor, nn

    class Shared(nn.Module):
        """Makes the weights of their values: each weight is the value of its number.

        A value is moved by the mean of the gradients of its weights, not by the sum, so that the learning rate of a
        network whose weights are its own is of the right size.
        """

        index: Tensor
        uses: Tensor
        fixed: Tensor

        def __init__(self, index: Tensor, count: int, has_zero: bool) -> None:
            super().__init__()
            self.register_buffer("index", index)
            self.register_buffer("uses", torch.bincount(index.flatten(), minlength=count).clamp(min=1).float())
            self.register_buffer("fixed", torch.arange(count) < int(has_zero))

        def right_inverse(self, weight: Tensor) -> Tensor:
            sums = torch.zeros_like(self.uses).index_add(0, self.index.flatten(), weight.detach().flatten())
            return torch.where(self.fixed, 0.0, sums / self.uses)

        def forward(self, values: Tensor) -> Tensor:
            moved = values.detach() + (values - values.detach()) / self.uses
            return torch.where(self.fixed, 0.0, moved)[self.index]

    return Shared
