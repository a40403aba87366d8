"""How important a channel is: the criteria by which channels are removed; it imports torch only when called."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from spaces.model_context import ModelContext

L1, L2, BATCH_NORM_SCALE, TAYLOR, FPGM, LAMP, RANDOM = (
    "l1",
    "l2",
    "batch-norm-scale",
    "taylor",
    "fpgm",
    "lamp",
    "random",
)
CRITERIA = (L1, L2, BATCH_NORM_SCALE, TAYLOR, FPGM, LAMP, RANDOM)
"""What `importance` takes."""
TAYLOR_EXAMPLES = 64
"""Examples over which the criterion ``taylor`` averages."""


def importance(criterion: str) -> Any:
    """What scores the channels of a group of coupled layers: called with a group of torch-pruning it gives a tensor
    with a score for each channel, more for what should stay, or None where the criterion is not defined for the group.

    The score of a channel is the mean over all tensors that would lose something with it: the weights that compute it,
    those that read it, and the scale of its norm. It is divided by the mean over the group, so that groups can be
    compared.

    Args:
        criterion: One of `CRITERIA`: ``l1`` and ``l2``, the sums of absolute and of squared weights (Li et al., arXiv
            1608.08710); ``batch-norm-scale``, the absolute scale of the batch normalisation (Liu et al., arXiv
            1708.06519), for groups that have one; ``taylor``, the sums of absolute products of weights and gradients
            (Molchanov et al., arXiv 1906.10771), see `gradients`; ``fpgm``, the distance of the weights that compute it
            to those of all other channels of the layer (He et al., arXiv 1811.00250); ``lamp``, the squared weights
            divided by the sum of all that are not smaller (Lee et al., arXiv 2010.07611), which differs from ``l2``
            only where several layers are ranked together; ``random``.
    """
    from torch_pruning.pruner import importance

    makers: dict[str, Callable[[], Any]] = {
        L1: lambda: importance.GroupMagnitudeImportance(p=1),
        L2: lambda: importance.GroupMagnitudeImportance(p=2),
        BATCH_NORM_SCALE: importance.BNScaleImportance,
        TAYLOR: importance.GroupTaylorImportance,
        FPGM: lambda: _distances,
        LAMP: importance.LAMPImportance,
        RANDOM: importance.RandomImportance,
    }
    return makers[criterion]()


def why_undefined(criterion: str, model: Any) -> str | None:
    """Why ``criterion`` is not defined for any layer of ``model``, or None."""
    from torch.nn.modules.batchnorm import _BatchNorm

    has_scale = any(isinstance(layer, _BatchNorm) and layer.affine for layer in model.modules())
    if criterion == BATCH_NORM_SCALE and not has_scale:
        return "the network has no batch normalisation with a scale, which this criterion reads"
    return None


@contextmanager
def gradients(criterion: str, model: Any, example: Sequence[Any], context: ModelContext | None) -> Iterator[None]:
    """Context in which the parameters of ``model`` have the gradients that ``criterion`` reads, if it reads any.

    They are the means over examples of the absolute gradients of the loss of one example: those of the mean loss would
    be about zero in a trained network. Without examples they are those of the squared outputs for ``example``, which is
    enough to see whether the network can be changed.
    """
    if criterion != TAYLOR:
        yield
        return
    import torch

    losses = context.losses(model, TAYLOR_EXAMPLES) if context is not None else iter(())
    sums, count = {p: torch.zeros_like(p) for p in model.parameters()}, 0
    with torch.enable_grad():
        for loss in losses:
            _add_gradients(loss, sums)
            count += 1
        if not count:
            _add_gradients(model(*example).square().sum(), sums)
    for parameter, total in sums.items():
        parameter.grad = total / max(1, count)
    try:
        yield
    finally:
        for parameter in model.parameters():
            parameter.grad = None


def unit_scores(criterion: str, layer: Any) -> Any:
    """As `importance`, for the hidden units of a recurrent layer: over all its gates, levels and directions.

    None where the criterion is not defined for recurrent layers.
    """
    import torch

    units = layer.hidden_size

    def rows(tensors: Sequence[Any]) -> Any:
        return torch.cat([t.reshape(-1, units, t.shape[1]).transpose(0, 1).flatten(1) for t in tensors], 1)

    parameters = [weight for name, weight in layer.named_parameters() if name.startswith("weight")]
    weights = rows([weight.detach() for weight in parameters])
    if criterion == TAYLOR:
        return (weights * rows([weight.grad for weight in parameters])).abs().sum(1)
    scores: dict[str, Callable[[], Any]] = {
        L1: lambda: weights.abs().sum(1),
        L2: lambda: weights.square().sum(1),
        LAMP: lambda: weights.square().sum(1),
        FPGM: lambda: _distance_sums(weights),
        RANDOM: lambda: torch.rand(units),
    }
    return scores[criterion]() if criterion in scores else None


def _add_gradients(loss: Any, sums: dict[Any, Any]) -> None:
    import torch

    found = torch.autograd.grad(loss, [*sums], allow_unused=True)
    for total, gradient in zip(sums.values(), found, strict=True):
        if gradient is not None:
            total += gradient.abs()


def _distances(group: Any) -> Any:
    """For each channel of ``group`` the distance of the weights that compute it to those of all other channels.

    Torch-pruning's own takes the distance of squared weights, for which weights and their opposites are the same.
    """
    from torch_pruning.pruner.importance import GroupMagnitudeImportance

    found = [
        (_distance_sums(rows)[places], group[position].root_idxs)
        for position, (dependency, places) in enumerate(group)
        if (rows := _filters(dependency)) is not None
    ]
    if not found:
        return None
    base = GroupMagnitudeImportance()
    return base._normalize(base._reduce([scores for scores, _ in found], [places for _, places in found]), "mean")


def _filters(dependency: Any) -> Any:
    """A row of weights for each output channel of a layer that would lose some of these; None for what is no such."""
    from torch_pruning.pruner import function

    layer, change = dependency.layer, dependency.pruning_fn
    if change not in (function.prune_conv_out_channels, function.prune_linear_out_channels):
        return None
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if getattr(layer, "transposed", False) else weight).flatten(1)


def _distance_sums(rows: Any) -> Any:
    """For each row the sum of its distances to all rows."""
    import torch

    return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").sum(1)
