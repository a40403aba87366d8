"""Removes a share of the channels of a network, in groups of coupled layers; imports torch only when called."""

from typing import Any, Literal

from spaces.errors import WorkFailed, in_one_line

FEWEST_CHANNELS = 4


def slim(model: Any, example: Any, *, keep: float, criterion: Literal["magnitude", "random"]) -> None:
    """Remove channels of ``model`` in place, so that each prunable layer keeps a share of about ``keep``.

    The output layers keep their size, and each layer keeps at least four channels. Widths are rounded to a multiple
    of 4, or of 8 from 64 channels on, because kernels work on blocks of channels.

    Args:
        model: A ``torch.nn.Module``; left in eval mode.
        example: A tensor for each input, of one example: ``(1, *input_shape)``.
        keep: Share of channels kept, above 0 and below 1.
        criterion: Which channels are removed: those with the smallest L1 norm, or random ones.

    Raises:
        WorkFailed: The network cannot be pruned, or no channel would be removed.
    """
    import torch

    model.eval()
    before = _size(model)
    with torch.no_grad():
        shape = model(*example).shape
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    try:
        # Layers are found by their gradients, and frozen ones have none.
        model.requires_grad_(True)
        _prune(model, example, keep, criterion)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trainable[name])
        with torch.no_grad():
            slimmed = model(*example).shape
    except Exception as error:
        raise WorkFailed(f"channels cannot be removed from this network ({in_one_line(error)})") from error
    if slimmed != shape:
        raise WorkFailed(f"removing channels changed the outputs from {tuple(shape)} to {tuple(slimmed)}")
    if _size(model) == before:
        raise WorkFailed(f"keeping {keep:g} of the channels removes none: its layers are too narrow for it")


def _prune(model: Any, example: Any, keep: float, criterion: str) -> None:
    import torch
    import torch_pruning

    importance = (
        torch_pruning.importance.MagnitudeImportance(p=1)
        if criterion == "magnitude"
        else torch_pruning.importance.RandomImportance()
    )
    with torch.enable_grad():
        pruner = torch_pruning.pruner.BasePruner(
            model,
            example,
            importance=importance,
            pruning_ratio=1.0 - keep,
            pruning_ratio_dict={layer: _ratio(layer, keep) for layer in model.modules() if _channels(layer)},
            ignored_layers=_output_layers(model, example),
            # The defaults of these are dictionaries that all pruners of a process would share and fill.
            in_channel_groups={},
            out_channel_groups={},
            num_heads={},
        )
        pruner.step()


def _channels(layer: Any) -> int:
    """The number of output channels of a layer; 0 for blocks, which only repeat the number of a layer in them."""
    if any(True for _ in layer.children()):
        return 0
    return int(getattr(layer, "out_channels", 0) or getattr(layer, "out_features", 0))


def _ratio(layer: Any, keep: float) -> float:
    """The share to remove from one layer so that its width is rounded; 0 where the layer is too narrow."""
    channels, groups = _channels(layer), int(getattr(layer, "groups", 1))
    if groups not in (1, channels):
        width, kept = channels // groups, max(1, int(channels // groups * keep + 0.5))
    else:
        block = 8 if channels >= 64 else FEWEST_CHANNELS
        width, kept = channels, max(FEWEST_CHANNELS, block * int(channels * keep / block + 0.5))
    # The pruner rounds the number kept down; half a channel more keeps float error from taking one away.
    return 1.0 - (kept + 0.5) / width if kept < width else 0.0


def _size(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _output_layers(model: Any, example: Any) -> list[Any]:
    """The layers whose channels are the outputs, found in the autograd graph of the result.

    The search ends at layers with a weight matrix and continues through others, such as norms.
    """
    import torch

    made_by: dict[Any, Any] = {}

    def note(layer: Any, _: Any, output: Any) -> None:
        made_by.setdefault(_origin(output), layer)

    leaves = [m for m in model.modules() if not list(m.children()) and list(m.parameters(recurse=False))]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.enable_grad():
            result = model(*example)
    finally:
        for hook in hooks:
            hook.remove()
    found: list[Any] = []
    ahead, seen = [_origin(result)], set()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        layer = made_by.get(node)
        if layer is not None:
            found.append(layer)
        if layer is None or all(parameter.dim() < 2 for parameter in layer.parameters()):
            ahead.extend(before for before, _ in node.next_functions)
    return found


def _origin(output: Any) -> Any:
    first = output[0] if isinstance(output, tuple) else output
    return getattr(first, "grad_fn", None)
