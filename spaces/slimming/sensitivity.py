"""Shares of channels by what their removal costs, measured for each layer alone; it imports torch only when called."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Any

from spaces.network_changes.joined_examples import joined

EXAMPLES = 16
"""Examples on which the outputs are compared."""
LEVELS = (0.75, 0.5, 0.25, 0.1)
"""The shares of its channels that each layer keeps in turn."""


def shares_by_error(sizes: Sequence[int], keep: float, error: Callable[[int, int], float]) -> list[float]:
    """The share that each layer keeps, so that all are off by the same and about ``keep`` of all channels stay.

    Each layer alone loses channels down to each of `LEVELS` (Li et al., arXiv 1608.08710, section 3.2; Han et al.,
    arXiv 1506.02626). Between these the error is taken to change linearly, and below the last one a layer is not
    narrowed. Then one bound for the error of every layer is sought, with which the share of all together is ``keep``.

    Args:
        sizes: The number of channels of each layer.
        keep: Share of channels kept, above 0 and below 1; below the last level all shares are scaled down.
        error: How far the outputs are off where the layer at a place loses a number of channels.
    """
    removed = [[size - round(size * level) for level in LEVELS] for size in sizes]
    curves = [_curve([error(place, number) for number in own]) for place, own in enumerate(removed)]
    low, high = 0.0, max(curve[-1][0] for curve in curves)

    def shares(bound: float) -> list[float]:
        return [_share(curve, bound) for curve in curves]

    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(shares(middle), sizes) > keep else (low, middle)
    return _scaled(shares(high), sizes, keep)


def _scaled(shares: Sequence[float], sizes: Sequence[int], keep: float) -> list[float]:
    """``shares``, evenly brought to the mean ``keep`` where no bound of the error gives that."""
    kept = _mean(shares, sizes)
    if kept >= keep:
        return [share * keep / kept for share in shares]
    return [share + (1 - share) * (keep - kept) / (1 - kept) for share in shares]


def _mean(shares: Sequence[float], sizes: Sequence[int]) -> float:
    return sum(size * share for size, share in zip(sizes, shares, strict=True)) / sum(sizes)


def _curve(errors: Sequence[float]) -> list[tuple[float, float]]:
    """Pairs of an error and the share kept with it, from no error on; a narrower layer is never less off."""
    rising = accumulate(errors, max)
    return [(0.0, 1.0), *zip(rising, LEVELS, strict=True)]


def _share(curve: Sequence[tuple[float, float]], bound: float) -> float:
    """The smallest share whose error is within ``bound``."""
    for (error, share), (worse, less) in pairwise(curve):
        if worse > bound:
            return share + (less - share) * (bound - error) / (worse - error)
    return curve[-1][1]


class OutputError:
    """Measures how far the outputs of a network are off without some channels, as a mean squared difference.

    Args:
        network: In eval mode.
        examples: Each a tuple with a tensor ``(1, ...)`` for each input.
    """

    def __init__(self, network: Any, examples: Sequence[Any]) -> None:
        self._network, self._batches = network, joined(examples)
        self._expected = self._outputs()

    def __call__(self, group: Any, places: Sequence[int]) -> float:
        """For the channels at ``places`` of the layer that computes ``group``; these are zeroed where they are read."""
        chosen = {*places}
        with _zeroed(group, chosen):
            found = self._outputs()
        pairs = zip(found, self._expected, strict=True)
        return sum(float((one - other).square().mean()) for one, other in pairs) / len(found)

    def _outputs(self) -> list[Any]:
        import torch

        with torch.no_grad():
            return [self._network(*batch) for batch in self._batches]


@contextmanager
def _zeroed(group: Any, places: set[int]) -> Iterator[None]:
    """Context in which the layers that read the channels of ``group`` are given zeros at these places."""
    from torch import nn

    def hook(dimension: int, own: Sequence[int]) -> Any:
        def zero(_: Any, given: Any) -> Any:
            features = given[0].clone()
            features.movedim(dimension, -1)[..., own] = 0.0
            return (features, *given[1:])

        return zero

    hooks = []
    for position, (dependency, idxs) in enumerate(group):
        layer, roots = dependency.target.module, group[position].root_idxs
        is_picture = isinstance(layer, nn.modules.conv._ConvNd)
        if dependency.handler.__name__ == "prune_in_channels" and (is_picture or isinstance(layer, nn.Linear)):
            own = [place for place, root in zip(idxs, roots, strict=True) if root in places]
            hooks.append(layer.register_forward_pre_hook(hook(1 if is_picture else -1, own)))
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
