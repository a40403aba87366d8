"""Removes hidden units of a recurrent layer, and of what reads them; imports torch only when called."""

from collections.abc import Callable, Collection
from typing import Any


def narrow(
    pruner: Any, layer: Any, sources: Collection[Any], kept: int, scores: Any, sound: Callable[[Any], bool]
) -> bool:
    """Remove hidden units of ``layer``, the same in all its levels and directions; whether any were removed.

    None are where a projection follows them, where something that keeps its channels depends on their number, or where
    the units have no scores.

    Args:
        pruner: Torch-pruning's, which knows what reads the outputs of the layer and what keeps its channels.
        layer: A ``torch.nn.RNNBase``, such as a GRU.
        sources: What stands for its outputs in the graph of the pruner, see `spaces.slimming.boundaries`.
        kept: How many units stay.
        scores: A tensor with a score for each unit, more for what should stay, or None.
        sound: Whether a group of what depends on an output may be changed.
    """
    import torch

    units = layer.hidden_size
    widths = {units, units * (2 if layer.bidirectional else 1)}
    if scores is None or kept >= units or layer.proj_size or not {source.channels for source in sources} <= widths:
        return False
    removed = torch.topk(scores, units - kept, largest=False).indices.tolist()
    groups = []
    for source in sources:
        if source in pruner.DG.module2node:  # else nothing uses this output
            places = [unit + first for first in range(0, source.channels, units) for unit in removed]
            group = pruner.DG.get_pruning_group(
                source, pruner.DG.get_pruner_of_module(source).prune_out_channels, places
            )
            if not _is_free(pruner, group, source) or not sound(group):
                return False
            groups.append(group)
    for group in groups:
        group.prune()
    _keep_units(layer, sorted({*range(units)} - {*removed}))
    return True


def _is_free(pruner: Any, group: Any, source: Any) -> bool:
    """Whether nothing in ``group`` keeps its channels, neither another layer nor an output."""
    import torch_pruning

    output = torch_pruning.ops.OPTYPE.OUTPUT
    writes = [dep for dep, _ in group if pruner.DG.is_out_channel_pruning_fn(dep.handler)]
    kept = any(dep.target.module is not source and dep.target.module in pruner.ignored_layers for dep in writes)
    return not kept and all(dep.target.type != output for dep in writes) and pruner.DG.check_pruning_group(group)


def _keep_units(layer: Any, units: list[int]) -> None:
    """Give ``layer`` the hidden ``units`` alone."""
    import torch

    before, directions = layer.hidden_size, 2 if layer.bidirectional else 1
    gates = layer.weight_hh_l0.shape[0] // before
    rows = torch.tensor([unit + gate * before for gate in range(gates) for unit in units])
    columns = torch.tensor([unit + direction * before for direction in range(directions) for unit in units])
    for name, old in [*layer.named_parameters()]:
        new = old.detach()[rows]
        if name.startswith("weight_hh"):
            new = new[:, units]
        elif name.startswith("weight_ih") and not name.startswith("weight_ih_l0"):
            new = new[:, columns]
        setattr(layer, name, torch.nn.Parameter(new, requires_grad=old.requires_grad))
    layer.hidden_size = len(units)
