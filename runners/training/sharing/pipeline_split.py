"""Where a network is cut into the stages of a pipeline: between its blocks, so that each stage takes as long."""

import time
from collections.abc import Sequence
from itertools import combinations, pairwise
from math import comb

import torch
from torch import Tensor, nn

from runners.models.blocks import Block, blocks

REPEATS = 3
"""Calls by which the cost of a block is measured; the fastest counts."""
MOST_SPLITS = 50_000
"""Ways to cut a network that are compared; a deeper one is cut between every second block, or every third, ..."""


def split_points(network: nn.Module, example: tuple[Tensor, ...], stages: int) -> list[str]:
    """The names of the layers before which ``network`` is cut into ``stages``, by the measured cost of its blocks.

    Args:
        network: Called a few times, in eval mode.
        example: A tensor ``(n, ...)`` for each input.
        stages: Not more than it has blocks.
    """
    found = blocks(network, example)
    costs = block_costs(network, found, example)
    cuts = even_cuts(costs, stages)
    return [found[cut].name for cut in cuts]


def even_cuts(costs: Sequence[float], stages: int) -> tuple[int, ...]:
    """The indices at which ``costs`` are cut into ``stages`` runs, so that the largest sum of a run is smallest."""
    every = 1
    while comb(len(range(every, len(costs), every)), stages - 1) > MOST_SPLITS:
        every += 1
    places = range(every, len(costs), every)
    return min(combinations(places, stages - 1), key=lambda cuts: _largest_run(costs, cuts))


def block_costs(network: nn.Module, found: Sequence[Block], example: tuple[Tensor, ...]) -> list[float]:
    """Seconds that each block takes in a call of ``network``; the backward pass takes about in proportion."""
    seconds: dict[nn.Module, list[float]] = {layer: [] for block in found for layer in block.layers}
    begun: dict[nn.Module, float] = {}
    hooks = []
    for layer in seconds:
        hooks.append(layer.register_forward_pre_hook(lambda own, _: begun.update({own: time.perf_counter()})))
        hooks.append(layer.register_forward_hook(lambda own, *_: seconds[own].append(_since(begun[own]))))
    training = network.training
    try:
        with torch.no_grad():
            for _ in range(REPEATS):
                network.eval()(*example)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return [sum(min(seconds[layer], default=0.0) for layer in block.layers) for block in found]


def _since(begun: float) -> float:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - begun


def _largest_run(costs: Sequence[float], cuts: tuple[int, ...]) -> float:
    ends = (0, *cuts, len(costs))
    return max(sum(costs[begin:end]) for begin, end in pairwise(ends))
