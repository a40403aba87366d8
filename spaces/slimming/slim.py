"""Removes a share of the channels of a network, in groups of coupled layers; imports torch only when called."""

from collections.abc import Sequence
from typing import Any

from spaces.errors import WorkFailed, in_one_line
from spaces.model_context import ModelContext
from spaces.slimming.boundaries import left_alone
from spaces.slimming.criteria import L1, RANDOM, gradients, why_undefined
from spaces.slimming.network_state import all_trainable, output_shape, quiet, size, snapshot
from spaces.slimming.pruner import BreaksNetwork, Wanted, prune, require_shape
from spaces.slimming.sensitivity import EXAMPLES
from spaces.slimming.tracing import shapes_read
from spaces.slimming.whole_blocks import attention_blocks
from spaces.slimming.widths import SENSITIVITY, UNIFORM
from spaces.slimming.written_sizes import update_written_sizes, widths

MOST_LEFT_ALONE = 16
"""Groups of layers that may turn out to break a network before slimming it is given up."""


def slim(
    model: Any,
    example: Sequence[Any],
    *,
    keep: float,
    new: bool = False,
    criterion: str = L1,
    scope: str = UNIFORM,
    multiple: int | None = None,
    context: ModelContext | None = None,
) -> None:
    """Remove channels of ``model`` in place, so that a share of about ``keep`` stays.

    The output layers keep their size, and each layer keeps at least four channels. Widths are rounded, because kernels
    work on blocks of channels.

    Layers whose change breaks the network are left alone, and parametrised ones. Attention is left alone where it has
    learnt something, because a removed channel would mix its heads; a new one is narrowed where its heads allow it.

    Args:
        model: A ``torch.nn.Module``; left in eval mode.
        example: A tensor for each input, of one example: ``(1, *input_shape)``.
        keep: Share of channels kept, above 0 and below 1.
        new: Whether its weights have learnt nothing: then any channels are removed, whatever the criterion.
        criterion: Which channels are removed, see `spaces.slimming.criteria.importance`.
        scope: How ``keep`` is shared out over the layers, see `spaces.slimming.widths.kept_shares`.
        multiple: What widths are rounded to a multiple of; None is 4, or 8 from 64 channels on.
        context: Has the examples for what is measured; without it, it is measured on ``example``.

    Raises:
        WorkFailed: The network cannot be pruned, the criterion is not defined for it, or no channel would be removed.
    """
    model.eval()
    if reason := why_undefined(criterion, model):
        raise WorkFailed(f"{reason}; choose another criterion")
    before, shape = size(model), output_shape(model, example)
    examples = (context.calibration(EXAMPLES) if context and scope == SENSITIVITY else ()) or [tuple(example)]
    wanted = Wanted(keep, new, RANDOM if new else criterion, scope, multiple, examples)
    with all_trainable(model), quiet(), shapes_read(model), gradients(wanted.criterion, model, example, context):
        reason = _slim(model, example, wanted, shape)
    if reason is not None:
        raise WorkFailed(f"channels cannot be removed from this network ({reason})")
    if size(model) == before:
        kinds = left_alone(model, attention=not new)
        others = f", and {', '.join(kinds)} layers are left as they are" if kinds else ""
        raise WorkFailed(f"keeping {keep:g} of the channels removes none: its layers are too narrow for it{others}")


def _slim(model: Any, inputs: Sequence[Any], wanted: Wanted, shape: tuple[int, ...]) -> str | None:
    """Slim ``model``; why that is impossible, or None. It is as it was before where it is impossible."""
    restore, full, reasons = snapshot(model), size(model), list[str]()

    def answers() -> bool:
        try:
            require_shape(model, inputs, shape)
        except Exception as error:
            reasons.append(in_one_line(error))
            return False
        return True

    blocks = attention_blocks(model, inputs)
    for way in _ways(wanted.new, blocks):
        before = widths(model)
        try:
            prune(model, inputs, wanted, **way)
            sound = answers() or (wanted.new and update_written_sizes(model, before, answers))
            if sound and (size(model) < full or not blocks):
                return None
        except Exception as error:
            reasons.append(in_one_line(error.__cause__ or error))
        restore()
    ignored = list[Any]()
    while len(ignored) < MOST_LEFT_ALONE:
        try:
            prune(model, inputs, wanted, hidden=blocks, ignored=ignored, shape=shape)
            return None if size(model) < full or not reasons else reasons[0]
        except BreaksNetwork as error:
            restore()
            ignored.append(error.layer)
        except Exception:
            break
    restore()
    return reasons[0] if reasons else None


def _ways(new: bool, blocks: Sequence[Any]) -> list[dict[str, Any]]:
    """The ways of slimming in their order, as options of `prune`; ``blocks`` are those it may find no way through."""
    around: list[dict[str, Any]] = [{"attention": True}, *([{"hidden": blocks}] if blocks else [])]
    if not new:
        return around
    return [*([{"attention": False, "whole": blocks}] if blocks else []), {"attention": False}, *around]
