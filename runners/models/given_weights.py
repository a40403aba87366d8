"""The weights with which a model comes: those that are the same whatever is drawn at random."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def given_weights(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """The parameters and buffers by name that ``make`` gives alike at each call, though others are drawn anew."""
    made = []
    with torch.random.fork_rng(devices=[]):
        for seed in (0, 1):
            torch.manual_seed(seed)
            made.append(make().state_dict(keep_vars=True))
    return {name: tensor for name, tensor in made[0].items() if torch.equal(tensor, made[1][name])}


def comes_with_weights(make: Callable[[], nn.Module]) -> bool:
    """Whether ``make`` gives weights that were learnt, or are always drawn alike.

    What is not trained says nothing of that, nor does a constant such as the scale of a normalisation.
    """
    return any(tensor.requires_grad and _varies(tensor.detach()) for tensor in given_weights(make).values())


def _varies(tensor: Tensor) -> bool:
    return tensor.numel() > 1 and bool((tensor != tensor.flatten()[0]).any())
