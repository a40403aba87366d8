"""torchvision's attention in windows, of Swin and of MaxViT, with fewer heads; it imports torch only when called."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from spaces.attention.cutting import cut_rows


@cache
def shifted_windows(kind: type) -> type:
    """A subclass of one of torchvision's attentions of Swin, whose heads together may be narrower than its inputs."""
    return type(kind.__name__, (kind,), {"forward": _shifted_windows, "__module__": __name__})


@cache
def relative_positions(kind: type) -> type:
    """The same of torchvision's attention of MaxViT."""
    return type(kind.__name__, (kind,), {"forward": _relative_positions, "__module__": __name__})


def cut_shifted_windows(layer: Any, heads: Sequence[int]) -> None:
    """Let an attention of Swin have these of its heads alone, in place."""
    _cut_projections(layer.qkv, layer.proj, heads, layer.num_heads)
    layer.num_heads = len(heads)
    if hasattr(layer, "logit_scale"):  # the second version computes its table of positions
        cut_rows(layer, "logit_scale", heads)
        cut_rows(layer.cpb_mlp[-1], "weight", heads)
        layer.cpb_mlp[-1].out_features = len(heads)
    else:
        cut_rows(layer, "relative_position_bias_table", heads, dimension=1)


def cut_relative_positions(layer: Any, heads: Sequence[int]) -> None:
    """Let an attention of MaxViT have these of its heads alone, in place."""
    _cut_projections(layer.to_qkv, layer.merge, heads, layer.n_heads)
    layer.n_heads = len(heads)
    cut_rows(layer, "relative_position_bias_table", heads, dimension=1)


def _cut_projections(inward: Any, outward: Any, heads: Sequence[int], number: int) -> None:
    """Cut the layer that computes queries, keys and values, and the one that reads the heads."""
    width = outward.in_features // number
    kept = [head * width + place for head in heads for place in range(width)]
    rows = [part * outward.in_features + place for part in range(3) for place in kept]
    cut_rows(inward, "weight", rows)
    cut_rows(inward, "bias", rows)
    cut_rows(outward, "weight", kept, dimension=1)
    inward.out_features, outward.in_features = len(rows), len(kept)


def _relative_positions(layer: Any, x: Any) -> Any:
    """Features ``(n, windows, places, width)`` to the same."""
    from torch.nn import functional

    n, windows, places, _ = x.shape
    parts = layer.to_qkv(x).reshape(n * windows, places, 3, layer.n_heads, layer.head_dim).permute(2, 0, 3, 1, 4)
    found = functional.scaled_dot_product_attention(
        parts[0], parts[1], parts[2], attn_mask=layer.get_relative_positional_bias(), scale=layer.scale_factor
    )
    return layer.merge(found.transpose(1, 2).reshape(n, windows, places, layer.n_heads * layer.head_dim))


def _shifted_windows(layer: Any, x: Any) -> Any:
    """Pictures ``(n, height, width, channels)`` to the same, see `torchvision.models.swin_transformer`."""
    import torch
    from torch.nn import functional

    n, height, width, _ = x.shape
    tall, wide = layer.window_size
    x = functional.pad(x, (0, 0, 0, -width % wide, 0, -height % tall))
    padded = (x.shape[1], x.shape[2])
    # A window that has all of a side is not shifted along it.
    shifts = [
        0 if size >= side else shift for size, side, shift in zip((tall, wide), padded, layer.shift_size, strict=True)
    ]
    if any(shifts):
        x = torch.roll(x, (-shifts[0], -shifts[1]), (1, 2))
    rows, columns = padded[0] // tall, padded[1] // wide
    windows = x.reshape(n, rows, tall, columns, wide, -1).transpose(2, 3).reshape(n * rows * columns, tall * wide, -1)
    mask = layer.get_relative_position_bias()
    if any(shifts):
        mask = mask + _apart(padded, (tall, wide), shifts, x).repeat(n, 1, 1, 1)
    found = layer.proj(_attended(layer, windows, mask))
    found = functional.dropout(found, layer.dropout, layer.training)
    found = found.reshape(n, rows, columns, tall, wide, -1).transpose(2, 3).reshape(n, *padded, -1)
    if any(shifts):
        found = torch.roll(found, (shifts[0], shifts[1]), (1, 2))
    return found[:, :height, :width].contiguous()


def _attended(layer: Any, windows: Any, mask: Any) -> Any:
    """What the heads give for windows ``(n, places, channels)``, side by side."""
    from torch.nn import functional

    weight, bias, scale = layer.qkv.weight, layer.qkv.bias, getattr(layer, "logit_scale", None)
    third = weight.shape[0] // 3
    if scale is not None and bias is not None:  # the second version has no bias of its keys, whatever was trained
        bias = bias * bias.new_tensor([1.0, 0.0, 1.0]).repeat_interleave(third)
    parts = functional.linear(windows, weight, bias)
    parts = parts.reshape(*windows.shape[:2], 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    queries, keys, values = parts[0], parts[1], parts[2]
    if scale is not None:
        queries = functional.normalize(queries, dim=-1) * scale.clamp(max=math.log(100.0)).exp()
        keys = functional.normalize(keys, dim=-1)
    found = functional.scaled_dot_product_attention(
        queries,
        keys,
        values,
        attn_mask=mask,
        dropout_p=layer.attention_dropout if layer.training else 0.0,
        scale=None if scale is None else 1.0,
    )
    return found.transpose(1, 2).flatten(2)


def _apart(sides: Sequence[int], window: Sequence[int], shifts: Sequence[int], like: Any) -> Any:
    """What keeps places of a window from each other that the shift has put there from other ends of the picture:
    ``(windows, 1, places, places)``, to be added to the scores.
    """
    import torch

    def regions(side: int, size: int, shift: int) -> Any:
        places = torch.arange(side, device=like.device)
        return (
            (places >= side - size).int() + (places >= side - shift).int() if shift else torch.zeros_like(places).int()
        )

    down, across = map(regions, sides, window, shifts)
    numbers = down[:, None] * 3 + across
    rows, columns = sides[0] // window[0], sides[1] // window[1]
    numbers = numbers.reshape(rows, window[0], columns, window[1]).transpose(1, 2).reshape(rows * columns, 1, -1)
    return torch.where(numbers.unsqueeze(-1) == numbers.unsqueeze(-2), 0.0, -100.0).to(like.dtype)
