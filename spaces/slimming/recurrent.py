"""Removes hidden units of a recurrent layer, and of what reads them; imports torch only when called."""

from collections.abc import Callable, Collection
from typing import Any

from spaces.slimming.layers import kept_channels


def narrow(
    pruner: Any, layer: Any, sources: Collection[Any], keep: float, criterion: str, sound: Callable[[Any], bool]
) -> bool:
    """Remove hidden units of ``layer``, the same in all its levels and directions; whether any were removed.

    None are where a projection follows them, or where something that keeps its channels depends on their number.

    Args:
        pruner: Torch-pruning's, which knows what reads the outputs of the layer and what keeps its channels.
        layer: A ``torch.nn.RNNBase``, such as a GRU.
        sources: What stands for its outputs in the graph of the pruner, see `spaces.slimming.boundaries`.
        keep: Share of the units kept.
        criterion: ``magnitude`` removes those with the smallest L1 norm, ``random`` any.
        sound: Whether a group of what depends on an output may be changed.
    """
    import torch

    units = layer.hidden_size
    kept = kept_channels(units, keep)
    widths = {units, units * (2 if layer.bidirectional else 1)}
    if kept >= units or layer.proj_size or not {source.channels for source in sources} <= widths:
        return False
    importance = _norms(layer) if criterion == "magnitude" else torch.rand(units)
    removed = torch.topk(importance, units - kept, largest=False).indices.tolist()
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


def _norms(layer: Any) -> Any:
    """The L1 norm of the weights that compute each hidden unit, over all gates, levels and directions."""
    units = layer.hidden_size
    weights = [weight for name, weight in layer.named_parameters() if name.startswith("weight")]
    return sum(weight.detach().reshape(-1, units, weight.shape[1]).abs().sum((0, 2)) for weight in weights)


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
