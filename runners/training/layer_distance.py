"""How far the layers of a network are from those of its teacher: 0 where they agree, about 1 where they have nothing in
common, whatever the size of their values. Each is the mean over examples, and over the places that are compared.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def layer_distance(method: str, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """The mean distance between what the places of two networks give, pair by pair.

    Args:
        method: ``features``, ``attention`` or ``relations``.
        student: Values of the network that learns, ``(n, ...)``; for features projected to the shape of the others.
        teacher: Values of its teacher for the same examples.
    """
    distance = {"features": _of_features, "attention": _of_attention, "relations": _of_relations}[method]
    found = [distance(own.float(), other.float()) for own, other in zip(student, teacher, strict=True)]
    return torch.stack(found).mean()


def _of_features(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference, as a share of the mean square of the teacher's (FitNets, arXiv 1412.6550)."""
    student, teacher = _same_size(student, teacher)
    return functional.mse_loss(student, teacher) / teacher.square().mean().clamp_min(1e-12)


def _of_attention(student: Tensor, teacher: Tensor) -> Tensor:
    """Half the squared distance between the places where feature maps are strong (arXiv 1612.03928): the squares summed
    over the channels, scaled to a vector of length 1.
    """
    student, teacher = _same_size(student, teacher)
    maps = [functional.normalize(each.square().mean(1).flatten(1), dim=1) for each in (student, teacher)]
    return (maps[0] - maps[1]).square().sum(1).mean() / 2


def _of_relations(student: Tensor, teacher: Tensor) -> Tensor:
    """Half the squared distance between the similarities of each example to all of the batch, scaled to a vector of
    length 1 (similarity-preserving distillation, arXiv 1907.09682).
    """
    rows = [each.flatten(1) for each in (student, teacher)]
    similarities = [functional.normalize(each @ each.T, dim=1) for each in rows]
    return (similarities[0] - similarities[1]).square().sum(1).mean() / 2


def _same_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Feature maps of two sizes averaged down to the smaller size of each dimension; others are as they were."""
    sizes = student.shape[2:], teacher.shape[2:]
    if sizes[0] == sizes[1]:
        return student, teacher
    smaller = [min(both) for both in zip(*sizes, strict=True)]
    pool: Any = {2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}[len(smaller)]
    return pool(student, smaller), pool(teacher, smaller)
