"""Removes a share of the channels of a network, in groups of coupled layers; imports torch only when called."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from spaces.errors import WorkFailed, in_one_line
from spaces.slimming.boundaries import left_alone, source_pruner, traced
from spaces.slimming.flattening import lands_as_mapped
from spaces.slimming.layers import channels, keeping_layers, removed_share
from spaces.slimming.recurrent import narrow
from spaces.slimming.tracing import reorders, shapes_read
from spaces.slimming.whole_blocks import as_one_layer, attention_blocks, whole_pruner
from spaces.slimming.written_sizes import update_written_sizes, widths

MOST_LEFT_ALONE = 16
"""Groups of layers that may turn out to break a network before slimming it is given up."""

Criterion = Literal["magnitude", "random"]


def slim(model: Any, example: Sequence[Any], *, keep: float, criterion: Criterion) -> None:
    """Remove channels of ``model`` in place, so that each prunable layer keeps a share of about ``keep``.

    The output layers keep their size, and each layer keeps at least four channels. Widths are rounded to a multiple
    of 4, or of 8 from 64 channels on, because kernels work on blocks of channels.

    Layers whose change breaks the network are left alone, and parametrised ones. Attention is left alone where it has
    learnt something, because a removed channel would mix its heads; a new one is narrowed where its heads allow it.

    Args:
        model: A ``torch.nn.Module``; left in eval mode.
        example: A tensor for each input, of one example: ``(1, *input_shape)``.
        keep: Share of channels kept, above 0 and below 1.
        criterion: Which channels are removed: those with the smallest L1 norm, or random ones.

    Raises:
        WorkFailed: The network cannot be pruned, or no channel would be removed.
    """
    model.eval()
    before, shape = _size(model), _output_shape(model, example)
    with _all_trainable(model), _quiet(), shapes_read(model):
        reason = _slim(model, example, keep, criterion, shape)
    if reason is not None:
        raise WorkFailed(f"channels cannot be removed from this network ({reason})")
    if _size(model) == before:
        kinds = left_alone(model, attention=criterion == "magnitude")
        others = f", and {', '.join(kinds)} layers are left as they are" if kinds else ""
        raise WorkFailed(f"keeping {keep:g} of the channels removes none: its layers are too narrow for it{others}")


def _slim(model: Any, inputs: Sequence[Any], keep: float, criterion: Criterion, shape: tuple[int, ...]) -> str | None:
    """Slim ``model``; why that is impossible, or None. It is as it was before where it is impossible."""
    restore, size, reasons = _snapshot(model), _size(model), list[str]()

    def answers() -> bool:
        try:
            _require_shape(model, inputs, shape)
        except Exception as error:
            reasons.append(in_one_line(error))
            return False
        return True

    blocks = attention_blocks(model, inputs)
    for way in _ways(criterion, blocks):
        before = widths(model)
        try:
            _prune(model, inputs, keep, criterion, **way)
            sound = answers() or (criterion == "random" and update_written_sizes(model, before, answers))
            if sound and (_size(model) < size or not blocks):
                return None
        except Exception as error:
            reasons.append(in_one_line(error.__cause__ or error))
        restore()
    ignored = list[Any]()
    while len(ignored) < MOST_LEFT_ALONE:
        try:
            _prune(model, inputs, keep, criterion, hidden=blocks, ignored=ignored, shape=shape)
            return None if _size(model) < size or not reasons else reasons[0]
        except _BreaksNetwork as error:
            restore()
            ignored.append(error.layer)
        except Exception:
            break
    restore()
    return reasons[0] if reasons else None


def _ways(criterion: Criterion, blocks: Sequence[Any]) -> list[dict[str, Any]]:
    """The ways of slimming in their order, as options of `_prune`; ``blocks`` are those it may find no way through."""
    around: list[dict[str, Any]] = [{"attention": True}, *([{"hidden": blocks}] if blocks else [])]
    if criterion == "magnitude":
        return around
    return [*([{"attention": False, "whole": blocks}] if blocks else []), {"attention": False}, *around]


class _BreaksNetwork(Exception):
    """Changing the group of ``layer`` breaks the network."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer


def _prune(
    model: Any,
    inputs: Sequence[Any],
    keep: float,
    criterion: Criterion,
    *,
    attention: bool = True,
    whole: Sequence[Any] = (),
    hidden: Sequence[Any] = (),
    ignored: Sequence[Any] = (),
    shape: tuple[int, ...] | None = None,
) -> None:
    """Remove channels of one group of coupled layers after the other, and try the network after each where its outputs
    have to have a ``shape``.

    Raises:
        _BreaksNetwork: A group cannot be changed, or the network does not run after that.
    """
    import torch
    import torch_pruning

    importance = (
        torch_pruning.importance.MagnitudeImportance(p=1)
        if criterion == "magnitude"
        else torch_pruning.importance.RandomImportance()
    )
    with (
        torch.enable_grad(),
        as_one_layer(model, whole),
        traced(model, inputs, attention=attention, hidden=hidden) as module,
    ):
        keeping = keeping_layers(module, inputs, attention=attention)
        pruner = torch_pruning.pruner.BasePruner(
            module,
            inputs,
            importance=importance,
            pruning_ratio=1.0 - keep,
            pruning_ratio_dict={layer: removed_share(layer, keep) for layer in module.modules() if channels(layer)},
            ignored_layers=[*keeping, *module.sources, *ignored],
            customized_pruners={**source_pruner(), **whole_pruner()},
            forward_fn=lambda network, given: network(*given),
            # The defaults of these are dictionaries that all pruners of a process would share and fill.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )

        reordered = criterion != "random" and reorders(module, inputs)

        def sound(group: Any) -> bool:
            # Of a new network any channels may go, if only their number is right.
            return criterion == "random" or lands_as_mapped(module, inputs, group, reordered=reordered)

        for boundary in module.boundaries:
            layer = boundary.__dict__["layer"]
            if isinstance(layer, torch.nn.RNNBase) and layer not in ignored:
                with _blamed(layer):
                    narrow(pruner, layer, boundary.starts, keep, criterion, sound)
                    _require_shape(model, inputs, shape)
        for group in pruner.step(interactive=True):
            with _blamed(group[0].dep.target.module):
                if sound(group):
                    group.prune()
                    _require_shape(model, inputs, shape)


@contextmanager
def _blamed(layer: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _BreaksNetwork(layer) from error


def _require_shape(model: Any, inputs: Sequence[Any], shape: tuple[int, ...] | None) -> None:
    """Raise `WorkFailed` where ``model`` answers with another shape than ``shape``."""
    if shape is not None and (found := _output_shape(model, inputs)) != shape:
        raise WorkFailed(f"the outputs would change from {shape} to {found}")


def _size(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _output_shape(model: Any, inputs: Sequence[Any]) -> tuple[int, ...]:
    import torch

    with torch.no_grad():
        return tuple(model(*inputs).shape)


def _snapshot(model: Any) -> Callable[[], None]:
    """A function that undoes what was done to the layers of ``model``; pruning puts new tensors into them."""
    kept = [
        (
            layer,
            {name: _own(value) for name, value in vars(layer).items()},
            dict(layer._parameters),
            dict(layer._buffers),
        )
        for layer in model.modules()
    ]

    def restore() -> None:
        for layer, attributes, parameters, buffers in kept:
            vars(layer).clear()
            vars(layer).update({name: _own(value) for name, value in attributes.items()})
            for table, tensors in ((layer._parameters, parameters), (layer._buffers, buffers)):
                table.clear()
                table.update(tensors)

    return restore


def _own(value: Any) -> Any:
    """``value``, or a copy of a list: recurrent layers keep one of their weights, and change it."""
    return [*value] if isinstance(value, list) else value


@contextmanager
def _all_trainable(model: Any) -> Iterator[None]:
    """Context in which no parameter of ``model`` is frozen: layers are found by their gradients."""
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(True)
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trainable[name])


@contextmanager
def _quiet() -> Iterator[None]:
    """Context in which nothing is warned of: torch-pruning warns of every layer that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
