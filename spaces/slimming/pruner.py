"""Removes channels of one group of coupled layers after the other; it imports torch only when called."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spaces.errors import WorkFailed
from spaces.slimming.boundaries import source_pruner, traced
from spaces.slimming.criteria import L1, importance, unit_scores
from spaces.slimming.flattening import lands_as_mapped
from spaces.slimming.layers import keeping_layers, kept_channels
from spaces.slimming.network_state import output_shape
from spaces.slimming.recurrent import narrow
from spaces.slimming.sensitivity import OutputError
from spaces.slimming.tracing import reorders
from spaces.slimming.whole_blocks import as_one_layer, whole_pruner
from spaces.slimming.widths import UNIFORM, ScoredGroup, kept_shares


@dataclass(frozen=True)
class Wanted:
    """What should leave a network.

    Attributes:
        keep: Share of channels kept, above 0 and below 1.
        new: Whether its weights have learnt nothing, so that any channels may go.
        criterion: One of `spaces.slimming.criteria.CRITERIA`.
        scope: One of `spaces.slimming.widths.SCOPES`.
        multiple: What widths are a multiple of, see `kept_channels`.
        examples: Those on which the scope ``sensitivity`` measures.
    """

    keep: float
    new: bool = False
    criterion: str = L1
    scope: str = UNIFORM
    multiple: int | None = None
    examples: Sequence[Any] = ()


class BreaksNetwork(Exception):
    """Changing the group of ``layer`` breaks the network."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer


def prune(
    model: Any,
    inputs: Sequence[Any],
    wanted: Wanted,
    *,
    attention: bool = True,
    whole: Sequence[Any] = (),
    hidden: Sequence[Any] = (),
    ignored: Sequence[Any] = (),
    shape: tuple[int, ...] | None = None,
) -> None:
    """Remove channels of ``model`` in place, and try it after each group where its outputs have to have a ``shape``.

    Args:
        model: A ``torch.nn.Module`` in eval mode, whose parameters all have ``requires_grad``.
        inputs: A batch of one for each of its inputs.
        wanted: What should leave.
        attention: Whether PyTorch's attention is left alone.
        whole: Blocks that are narrowed as one layer each.
        hidden: Blocks that are left alone.
        ignored: Layers that are left alone.
        shape: That of the outputs; None tries nothing.

    Raises:
        BreaksNetwork: A group cannot be changed, or the network does not run after that.
    """
    import torch

    with (
        torch.enable_grad(),
        as_one_layer(model, whole),
        traced(model, inputs, attention=attention, hidden=hidden) as module,
    ):
        keeping = keeping_layers(module, inputs, attention=attention)
        pruner = _pruner(module, inputs, [*keeping, *module.sources, *ignored])
        reordered = not wanted.new and reorders(module, inputs)

        def sound(group: Any) -> bool:
            # Of a new network any channels may go, if only their number is right.
            return wanted.new or lands_as_mapped(module, inputs, group, reordered=reordered)

        for boundary in module.boundaries:
            layer = boundary.__dict__["layer"]
            if isinstance(layer, torch.nn.RNNBase) and layer not in ignored:
                with _blamed(layer):
                    units = kept_channels(layer.hidden_size, wanted.keep, wanted.multiple)
                    narrow(pruner, layer, boundary.starts, units, unit_scores(wanted.criterion, layer), sound)
                    require_shape(model, inputs, shape)
        for layer, change, places in _chosen(model, pruner, wanted):
            with _blamed(layer):
                group = pruner.DG.get_pruning_group(layer, change, places)
                if pruner.DG.check_pruning_group(group) and sound(group):
                    group.prune()
                    require_shape(model, inputs, shape)


def _pruner(module: Any, inputs: Sequence[Any], ignored: Sequence[Any]) -> Any:
    """Torch-pruning's, which knows what belongs together."""
    import torch_pruning

    return torch_pruning.pruner.BasePruner(
        module,
        inputs,
        importance=None,
        ignored_layers=[*ignored],
        customized_pruners={**source_pruner(), **whole_pruner()},
        forward_fn=lambda network, given: network(*given),
        # The defaults of these are dictionaries that all pruners of a process would share and fill.
        in_channel_groups={},
        out_channel_groups={},
        num_heads={},
    )


def _chosen(model: Any, pruner: Any, wanted: Wanted) -> list[tuple[Any, Any, list[int]]]:
    """The layers that lose output channels, how torch-pruning removes them, and the places of the channels."""
    groups = _scored_groups(pruner, wanted.criterion)
    output_error: list[OutputError] = []

    def error(group: ScoredGroup, removed: int) -> float:
        if not output_error:
            output_error.append(OutputError(model, wanted.examples))
        return output_error[0](group.group, group.least(removed))

    shares = kept_shares(groups, wanted.keep, wanted.scope, error)
    numbers = [group.removed(share, wanted.multiple) for group, share in zip(groups, shares, strict=True)]
    return [
        (group.layer, group.group[0].dep.handler, group.least(number))
        for group, number in zip(groups, numbers, strict=True)
        if number
    ]


def _scored_groups(pruner: Any, criterion: str) -> list[ScoredGroup]:
    """All groups of channels that may leave and for which ``criterion`` is defined."""
    import torch

    score, found = importance(criterion), []
    with torch.no_grad():
        for group in pruner.DG.get_all_groups(pruner.ignored_layers, pruner.root_module_types):
            scores = score(group) if pruner._check_pruning_ratio(group) else None
            if scores is not None:
                parts = pruner._get_channel_groups(group)
                found.append(ScoredGroup(group, scores.view(parts, -1).mean(0), parts))
    return found


@contextmanager
def _blamed(layer: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise BreaksNetwork(layer) from error


def require_shape(model: Any, inputs: Sequence[Any], shape: tuple[int, ...] | None) -> None:
    """Raise `WorkFailed` where ``model`` answers with another shape than ``shape``."""
    if shape is not None and (found := output_shape(model, inputs)) != shape:
        raise WorkFailed(f"the outputs would change from {shape} to {found}")
