"""Which part of a network is trained, and how fast each of its blocks: transfer learning from given weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from runners.models.blocks import Block, blocks
from spaces.plans import TrainingPlan


@contextmanager
def trained_part(
    network: nn.Module, plan: TrainingPlan, example: Callable[[], tuple[Tensor, ...]]
) -> Iterator[dict[str, float]]:
    """Context in which the blocks that ``plan`` does not train are frozen; it gives the share of the learning rate of
    each parameter, by name, which is 1 for those that it leaves out.

    A frozen block computes as in evaluation: its batch normalisations keep their statistics, and it drops out nothing.
    What was frozen before stays so, and when the context ends, all is as it was.

    Args:
        network: In training mode.
        plan: Says which blocks are trained, and how their learning rates fall.
        example: A tensor for each input, by which the order of the blocks is found; not read where all are trained
            alike.
    """
    if plan.trainable == 1 and plan.layer_decay == 1:
        yield {}
        return
    found = blocks(network, example())
    trained = max(1, round(plan.trainable * len(found)))
    frozen = found[: len(found) - trained]
    before = {parameter: parameter.requires_grad for parameter in network.parameters()}
    _freeze(frozen)
    try:
        yield _rates(found, plan.layer_decay)
    finally:
        for parameter, trains in before.items():
            parameter.requires_grad_(trains)


def _freeze(frozen: list[Block]) -> None:
    for block in frozen:
        for parameter in block.parameters.values():
            parameter.requires_grad_(False)
        for layer in block.layers:
            layer.eval()


def _rates(found: list[Block], decay: float) -> dict[str, float]:
    return {name: decay**behind for behind, block in enumerate(reversed(found)) for name in block.parameters}
