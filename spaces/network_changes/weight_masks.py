"""Masks on the weights of a network, which hold while it is trained; imports torch only when called."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

STAYS = 1.1 / 0.9
"""How much larger a weight that is zero must be than one that is kept to take its place: the two thresholds of Guo et
al. (arXiv 1608.04493) lie a tenth below and above the middle."""


def maskable(network: Any) -> dict[str, Any]:
    """The convolutions and linear layers of ``network`` by name, whose weights can be masked.

    A weight that several layers share is left out: a mask belongs to one layer, and the others would not have it.
    """
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    owners = Counter(id(weight) for layer in network.modules() for weight in layer.parameters(recurse=False))
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, (_ConvNd, nn.Linear)) and owners[id(original_of(layer))] == 1
    }


def original_of(layer: Any) -> Any:
    """The weight of ``layer`` without its mask: the parameter that is trained."""
    mask = mask_of(layer)
    return layer.weight if mask is None else layer.parametrizations.weight.original


def mask_of(layer: Any) -> Any:
    """The mask on the weight of ``layer``, or None."""
    from torch.nn.utils import parametrize

    if not parametrize.is_parametrized(layer, "weight"):
        return None
    first = layer.parametrizations.weight[0]
    return first if isinstance(first, mask_kinds()["fixed"]) else None


def kept_counts(layers: Mapping[str, Any], share: float) -> dict[str, int]:
    """How many weights each of ``layers`` keeps where a ``share`` of all is removed, at least one each.

    The removed ones have the smallest scores over all layers together: the square of a weight as a share of the squares
    of all in its layer that are at least as large (Lee et al., arXiv 2010.07611). Sizes alone would empty layers whose
    weights are small because a normalisation follows.
    """
    import torch

    scores = {name: _lamp(layer.weight.detach()) for name, layer in layers.items()}
    everything = torch.cat([*scores.values()])
    removed = round(share * len(everything))
    if not removed:
        return {name: len(score) for name, score in scores.items()}
    threshold = everything.kthvalue(removed).values
    return {name: max(1, int((score > threshold).sum())) for name, score in scores.items()}


def largest(values: Any, count: int) -> Any:
    """A mask of the shape of ``values`` that is true for the ``count`` largest ones."""
    import torch

    mask = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    mask[values.flatten().topk(count).indices] = True
    return mask.reshape(values.shape)


def two_of_four(weight: Any) -> Any:
    """A mask that keeps the two largest of each four weights of neighbouring inputs, as kernels of NVIDIA need it.

    Args:
        weight: Its second size, the inputs, is a multiple of four.
    """
    import torch

    rows = weight.movedim(1, -1)
    groups = rows.reshape(*rows.shape[:-1], -1, 4).abs()
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter(-1, groups.topk(2).indices, True)
    return mask.reshape(rows.shape).movedim(-1, 1)


def put_mask(layer: Any, kind: str, mask: Any) -> None:
    """Let ``mask``, of the shape of the weight, decide which weights of ``layer`` are not zero.

    Args:
        layer: A layer of `maskable`, changed in place; of a mask that it has only the places change, not the kind.
        kind: One of `mask_kinds`.
        mask: True where a weight is kept.
    """
    from torch.nn.utils import parametrize

    present = mask_of(layer)
    if present is None:
        parametrize.register_parametrization(layer, "weight", mask_kinds()[kind](mask))
    else:
        present.set_mask(mask)


def rebuild_masks(network: Any, kind: str, names: Iterable[str]) -> None:
    """Put masks on the layers of these names again; their values are set afterwards."""
    import torch

    for name in names:
        layer = network.get_submodule(name)
        put_mask(layer, kind, torch.ones_like(layer.weight, dtype=torch.bool))


@cache
def mask_kinds() -> Mapping[str, Any]:
    """The kinds of masks by name, each a ``torch.nn.Module`` that makes the masked weight of the trained one.

    All give +0 for what is masked: a product would give -0 for some, which is another value in a file.

    - ``fixed``: the mask stays; what is masked gets no gradient.
    - ``splice``: at each step the largest weights are kept, and all get the gradient, so that one may come back.
    - ``movement``: at each step the weights with the largest scores are kept, which are trained with the weights.
    """
    import torch
    from torch import Tensor, nn

    class Fixed(nn.Module):
        mask: Tensor

        def __init__(self, mask: Tensor) -> None:
            super().__init__()
            self.register_buffer("mask", mask)
            self.kept = int(mask.sum())

        def set_mask(self, mask: Tensor) -> None:
            self.mask, self.kept = mask, int(mask.sum())

        def forward(self, weight: Tensor) -> Tensor:
            return torch.where(self.mask, weight, 0.0)

    class Splice(Fixed):
        def forward(self, weight: Tensor) -> Tensor:
            if self.training:
                self.mask = largest(weight.detach().abs() * torch.where(self.mask, STAYS, 1.0), self.kept)
            return weight + (torch.where(self.mask, weight, 0.0) - weight).detach()

    class Movement(Fixed):
        def __init__(self, mask: Tensor) -> None:
            super().__init__(mask)
            self.scores = nn.Parameter(torch.zeros(mask.shape))

        def forward(self, weight: Tensor) -> Tensor:
            if self.training:
                self.mask = largest(self.scores.detach(), self.kept)
            nothing = self.scores - self.scores.detach()  # whose gradient the scores get: that of the weight, times it
            return torch.where(self.mask, weight, 0.0) + weight.detach() * nothing

    return {"fixed": Fixed, "splice": Splice, "movement": Movement}


def _lamp(weight: Any) -> Any:
    """The score of each weight of a layer, ``(n,)``."""
    squares, order = weight.flatten().square().sort(descending=True)
    scores = squares / squares.cumsum(0).clamp(min=1e-30)
    return scores.new_zeros(len(scores)).scatter(0, order, scores)
