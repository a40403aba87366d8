"""Self-attention of which each worker computes some of the heads (Shoeybi et al., arXiv 1909.08053)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.nn import functional


def divide_attention(layer: Any, mesh: DeviceMesh) -> None:
    """Let the workers of ``mesh`` each have some heads of ``layer``, of `nn.MultiheadAttention` or timm's `Attention`.

    The weights of queries, keys and values become tensors ``(3, heads, width of a head, ...)`` that are divided by
    heads; their names stay.
    """
    of_torch = isinstance(layer, nn.MultiheadAttention)
    fused, suffix, projection = (layer, "in_proj_", layer.out_proj) if of_torch else (layer.qkv, "", layer.proj)
    for name in (f"{suffix}weight", f"{suffix}bias"):
        given = getattr(fused, name)
        if given is not None:
            setattr(fused, name, _divided(given, mesh, (3, layer.num_heads, -1, *given.shape[1:])))
    projection.weight = _divided(projection.weight, mesh, projection.weight.shape)
    layer.forward = partial(_multihead if of_torch else _timm, layer, mesh)


def _divided(given: nn.Parameter, mesh: DeviceMesh, shape: Sequence[int]) -> nn.Parameter:
    """``given`` in that ``shape``, of which each worker has a part of the second dimension."""
    shards = distribute_tensor(given.detach().reshape(shape), mesh, [Shard(1)], src_data_rank=None)
    return nn.Parameter(shards, requires_grad=given.requires_grad)


def _multihead(
    layer: Any, mesh: DeviceMesh, query: Tensor, key: Tensor, value: Tensor, **options: Any
) -> tuple[Tensor, None]:
    if query is not key or key is not value or any(options.get(name) is not None for name in MASKS):
        raise NotImplementedError("tensor parallelism divides self-attention without masks")
    fused = layer.in_proj_weight, layer.in_proj_bias
    return _attend(query, fused, layer.out_proj, layer.dropout if layer.training else 0.0, mesh), None


MASKS = ("key_padding_mask", "attn_mask")


def _timm(layer: Any, mesh: DeviceMesh, inputs: Tensor, attn_mask: Tensor | None = None, **_: Any) -> Tensor:
    if attn_mask is not None:
        raise NotImplementedError("tensor parallelism divides self-attention without masks")
    dropout = layer.attn_drop.p if layer.training else 0.0
    attended = _attend(inputs, (layer.qkv.weight, layer.qkv.bias), layer.proj, dropout, mesh)
    outputs: Tensor = layer.proj_drop(attended)
    return outputs


def _attend(inputs: Tensor, fused: tuple[Any, Any], projection: Any, dropout: float, mesh: DeviceMesh) -> Tensor:
    """Attention of ``inputs`` of shape ``(n, tokens, width)`` to themselves.

    Args:
        inputs: The same on every worker.
        fused: Weights ``(3, heads, width of a head, width)`` of queries, keys and values, and their biases or None.
        projection: The linear layer behind the heads.
        dropout: Share of the attention that is dropped.
        mesh: The workers among which the heads are divided.
    """
    # Each worker gives a part of the gradient of the inputs.
    given = DTensor.from_local(inputs, mesh, [Replicate()]).to_local(grad_placements=[Partial()])
    weight, bias = fused[0].to_local(), None if fused[1] is None else fused[1].to_local()
    _, heads, size, width = weight.shape
    rows, tokens, _ = inputs.shape
    projected = functional.linear(given, weight.reshape(-1, width), None if bias is None else bias.flatten())
    queries, keys, values = projected.view(rows, tokens, 3, heads, size).permute(2, 0, 3, 1, 4)
    attended = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
    own = functional.linear(attended.transpose(1, 2).flatten(2), projection.weight.to_local())
    outputs: Tensor = DTensor.from_local(own, mesh, [Partial()]).redistribute(mesh, [Replicate()]).to_local()
    return outputs if projection.bias is None else outputs + projection.bias
