"""PyTorch's attention with fewer heads than its width has room for; it imports torch only when called."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from spaces.attention.cutting import cut_rows


@cache
def fewer_heads(kind: type) -> type:
    """A subclass of `torch.nn.MultiheadAttention` whose heads together may be narrower than its inputs and outputs.

    PyTorch's own computes the width of a head as that of the inputs divided by the number of heads.
    """
    return type("MultiheadAttention", (kind,), {"forward": _forward, "__module__": __name__})


def can_be_cut(layer: Any) -> bool:
    """Whether queries, keys and values have one matrix, and nothing is added to the keys."""
    return bool(layer._qkv_same_embed_dim) and layer.bias_k is None and not layer.add_zero_attn


def cut(layer: Any, heads: Sequence[int]) -> None:
    """Let ``layer`` have these of its heads alone, in place."""
    width, number = layer.in_proj_weight.shape[0] // 3, layer.num_heads
    kept = [head * layer.head_dim + place for head in heads for place in range(layer.head_dim)]
    cut_rows(layer, "in_proj_weight", [part * width + place for part in range(3) for place in kept])
    cut_rows(layer, "in_proj_bias", [part * width + place for part in range(3) for place in kept])
    cut_rows(layer.out_proj, "weight", kept, dimension=1)
    layer.out_proj.in_features = len(kept)
    layer.num_heads, layer.heads, layer.heads_of_masks = len(heads), tuple(heads), number
    # Else layers of an encoder compute all by one kernel, which takes the width of the inputs for that of the heads.
    layer._qkv_same_embed_dim = False


def _forward(
    layer: Any,
    query: Any,
    key: Any,
    value: Any,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    """As `torch.nn.MultiheadAttention.forward`; a mask for each head is one for each that the layer once had."""
    import torch
    from torch.nn import functional

    if is_causal and attn_mask is None:
        raise RuntimeError("is_causal says what attn_mask is; give attn_mask too")
    alone, share = query.dim() == 2, layer.dropout if layer.training else 0.0
    tensors = (query, key, value)
    if alone:
        tensors = tuple(tensor.unsqueeze(0) for tensor in tensors)
    elif not layer.batch_first:
        tensors = tuple(tensor.transpose(0, 1) for tensor in tensors)
    queries, keys, values = _projected(layer, *tensors)
    mask = _joined(layer, attn_mask, key_padding_mask, queries)
    shares = None
    if need_weights:
        scores = (queries * layer.head_dim**-0.5) @ keys.transpose(-2, -1)
        shares = functional.dropout(torch.softmax(scores if mask is None else scores + mask, -1), share)
        found = shares @ values
        shares = shares.mean(1) if average_attn_weights else shares
    else:
        found = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=share)
    outputs = layer.out_proj(found.transpose(1, 2).flatten(2))
    if alone:
        return outputs.squeeze(0), None if shares is None else shares.squeeze(0)
    return (outputs if layer.batch_first else outputs.transpose(0, 1)), shares


def _projected(layer: Any, query: Any, key: Any, value: Any) -> list[Any]:
    """Queries, keys and values ``(n, heads, length, width of a head)``."""
    from torch.nn import functional

    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    if query is key and key is value:
        parts = functional.linear(query, weight, bias).chunk(3, -1)
    else:
        biases = (None, None, None) if bias is None else bias.chunk(3)
        parts = tuple(map(functional.linear, (query, key, value), weight.chunk(3), biases))
    return [part.reshape(*part.shape[:2], layer.num_heads, layer.head_dim).transpose(1, 2) for part in parts]


def _joined(layer: Any, attn_mask: Any, key_padding_mask: Any, queries: Any) -> Any:
    """What is added to the scores ``(n, heads, length, length of the keys)``: minus infinity where nothing is seen."""
    masks = []
    if attn_mask is not None:
        mask = _added(attn_mask, queries)
        if mask.dim() == 3:
            mask = mask.unflatten(0, (-1, layer.heads_of_masks))[:, list(layer.heads)]
        masks.append(mask)
    if key_padding_mask is not None:
        padding = key_padding_mask if key_padding_mask.dim() == 2 else key_padding_mask.unsqueeze(0)
        masks.append(_added(padding, queries)[:, None, None])
    return sum(masks[1:], masks[0]) if masks else None


def _added(mask: Any, like: Any) -> Any:
    """A mask of truth values, True where nothing is seen, as numbers to add; numbers as they are."""
    import torch

    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, float("-inf"))
