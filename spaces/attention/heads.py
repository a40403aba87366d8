"""The heads of attention: which layers have them, how important each is, and how some are removed.

It imports torch only when called.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spaces.attention import multihead, windows
from spaces.model_context import ModelContext
from spaces.slimming.network_state import all_trainable, snapshot

EXAMPLES = 64
"""Training examples over which the importance of a head is averaged."""


@dataclass(frozen=True)
class Kind:
    """A kind of attention whose heads can be removed.

    Attributes:
        layer: Its class.
        narrower: A subclass that computes with any number of heads, of a class.
        number: The attribute that has the number of heads.
        outward: The layer that reads all heads side by side.
        cut: Lets a layer of ``narrower`` have some of its heads alone.
    """

    layer: type
    narrower: Callable[[type], type]
    number: str
    outward: str
    cut: Callable[[Any, Sequence[int]], None]


def kinds() -> tuple[Kind, ...]:
    """PyTorch's own, Swin's and MaxViT's of torchvision."""
    from torch import nn
    from torchvision.models.maxvit import RelativePositionalMultiHeadAttention
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    swin, maxvit = ShiftedWindowAttention, RelativePositionalMultiHeadAttention
    return (
        Kind(nn.MultiheadAttention, multihead.fewer_heads, "num_heads", "out_proj", multihead.cut),
        Kind(swin, windows.shifted_windows, "num_heads", "proj", windows.cut_shifted_windows),
        Kind(maxvit, windows.relative_positions, "n_heads", "merge", windows.cut_relative_positions),
    )


def kind_of(layer: Any) -> Kind | None:
    """The kind of a layer; None where its heads cannot be removed."""
    from torch import nn

    kind = next((kind for kind in kinds() if isinstance(layer, kind.layer)), None)
    if isinstance(layer, nn.MultiheadAttention) and not multihead.can_be_cut(layer):
        return None
    return kind


def layers_with_heads(network: Any) -> dict[str, int]:
    """The names of the layers whose heads can be removed, with the number of these."""
    found = ((name, layer, kind_of(layer)) for name, layer in network.named_modules())
    return {name: getattr(layer, kind.number) for name, layer, kind in found if kind is not None}


def keep_heads(network: Any, kept: Mapping[str, Sequence[int]]) -> None:
    """Let the attention of these names have these of its heads alone, in place."""
    from torch import nn

    for name, heads in kept.items():
        layer = network.get_submodule(name)
        kind = kind_of(layer)
        assert kind is not None, f"{name} has no heads that can be removed"
        layer.__class__ = kind.narrower(type(layer))
        kind.cut(layer, heads)
    for encoder in network.modules():
        # Nested tensors are for the one kernel that fewer heads do without.
        if isinstance(encoder, nn.TransformerEncoder) and any(not m._qkv_same_embed_dim for m in _attentions(encoder)):
            encoder.use_nested_tensor = False


def head_scores(network: Any, context: ModelContext) -> dict[str, Any]:
    """How important each head is: a tensor with a score for each head of each layer, more for what should stay.

    The mean over examples of the absolute product of what a head gives and the gradient of the loss by it, divided by
    the norm over the layer (Michel et al., arXiv 1905.10650, sections 3.1 and 4.2, and Molchanov et al., arXiv
    1611.06440). Where the losses of examples are not known, it is by the squared outputs for one.
    """
    import torch

    sums: dict[str, Any] = {}
    with all_trainable(network), torch.enable_grad(), _given_to_projections(network) as given:
        for loss in context.losses(network, EXAMPLES):
            _add_scores(loss, given, sums)
        if not sums:
            _add_scores(network(*context.example).square().sum(), given, sums)
    return {name: total / total.norm().clamp_min(1e-12) for name, total in sums.items()}


def lowest_heads(scores: Mapping[str, Any], number: int) -> dict[str, list[int]]:
    """The heads that stay where the ``number`` with the lowest scores leave; the best of each layer always stays.

    Layers that keep all of theirs are left out.
    """
    ranked = sorted(
        (float(score), name, head)
        for name, own in scores.items()
        for head, score in enumerate(own)
        if head != int(own.argmax())
    )
    removed = {(name, head) for _, name, head in ranked[:number]}
    kept = {name: [head for head in range(len(own)) if (name, head) not in removed] for name, own in scores.items()}
    return {name: heads for name, heads in kept.items() if len(heads) < len(scores[name])}


def _attentions(encoder: Any) -> list[Any]:
    from torch import nn

    return [layer for layer in encoder.modules() if isinstance(layer, nn.MultiheadAttention)]


@contextmanager
def _given_to_projections(network: Any) -> Iterator[list[tuple[str, int, Any]]]:
    """Context whose value has, for each call, the name of the attention, its number of heads, and what they gave."""
    given: list[tuple[str, int, Any]] = []

    def note(name: str, number: int) -> Any:
        return lambda _, inputs: given.append((name, number, inputs[0]))

    with _all_heads(network) as layers:
        hooks = [
            getattr(layer, kind.outward).register_forward_pre_hook(note(name, getattr(layer, kind.number)))
            for name, (layer, kind) in layers.items()
        ]
        try:
            yield given
        finally:
            for hook in hooks:
                hook.remove()


@contextmanager
def _all_heads(network: Any) -> Iterator[dict[str, tuple[Any, Kind]]]:
    """Context in which attention computes as it does with fewer heads: by a layer that reads them side by side."""
    layers = {name: (layer, kind) for name, layer in network.named_modules() if (kind := kind_of(layer)) is not None}
    restore, classes = snapshot(network), [(layer, type(layer)) for layer, _ in layers.values()]
    try:
        for layer, kind in layers.values():
            layer.__class__ = kind.narrower(type(layer))
            kind.cut(layer, range(getattr(layer, kind.number)))
        yield layers
    finally:
        for layer, own in classes:
            layer.__class__ = own
        restore()


def _add_scores(loss: Any, given: list[tuple[str, int, Any]], sums: dict[str, Any]) -> None:
    import torch

    gradients = torch.autograd.grad(loss, [values for *_, values in given], allow_unused=True)
    found: dict[str, Any] = {}
    for (name, number, values), gradient in zip(given, gradients, strict=True):
        gradient = torch.zeros_like(values) if gradient is None else gradient
        own = (values * gradient).detach().unflatten(-1, (number, -1)).sum(-1).flatten(0, -2).sum(0)
        found[name] = found.get(name, 0) + own
    for name, total in found.items():
        sums[name] = sums.get(name, 0) + total.abs()
    given.clear()
