"""Which layers of a network tensor parallelism divides among workers: pairs of linear layers, and heads of attention.

A pair is a linear layer, elementwise layers, and a linear layer that reads what those give, in one `nn.Sequential`, a
`timm.layers.Mlp` or a `nn.TransformerEncoderLayer`. The first one's outputs and the second one's inputs are divided, so
that the pair communicates once (Shoeybi et al., arXiv 1909.08053). What is not found here, every worker computes whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

ELEMENTWISE = (
    nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid, nn.ELU, nn.LeakyReLU, nn.Softplus,
    nn.Hardswish, nn.Identity, nn.Dropout,
)  # fmt: skip
"""Layers that compute each value alone, whichever worker has it."""


@dataclass(frozen=True)
class TensorPlan:
    """What is divided, each by the names of layers.

    Attributes:
        pairs: Pairs of linear layers.
        attentions: Layers of self-attention whose heads are divided.
    """

    pairs: tuple[tuple[str, str], ...]
    attentions: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.pairs or self.attentions)


def tensor_plan(network: nn.Module, workers: int) -> TensorPlan:
    """What of ``network`` can be divided among so many ``workers``."""
    pairs, attentions = [], []
    for name, part in network.named_modules():
        attentions += [name] if _is_divisible_attention(part, workers) else []
        for first, second in _pairs_in(part):
            if part.get_submodule(first).out_features % workers == 0:
                pairs.append(tuple(f"{name}.{each}" if name else each for each in (first, second)))
    return TensorPlan(tuple(pairs), tuple(attentions))  # type: ignore[arg-type]


def is_timm(part: nn.Module, kind: str) -> bool:
    """Whether ``part`` is exactly timm's class ``kind``, asked without importing timm."""
    own = type(part)
    return own.__name__ == kind and own.__module__.startswith("timm.")


def _pairs_in(part: nn.Module) -> Iterator[tuple[str, str]]:
    """The pairs of linear layers among the children of ``part``, by their names in it."""
    if isinstance(part, nn.TransformerEncoderLayer):
        yield "linear1", "linear2"
    if not isinstance(part, nn.Sequential) and not is_timm(part, "Mlp"):
        return
    between = [(name, each) for name, each in part.named_children() if not isinstance(each, ELEMENTWISE)]
    free = True
    for (first, own), (second, other) in pairwise(between):
        free = not free or not _is_pair(own, other)
        if not free:
            yield first, second


def _is_pair(first: nn.Module, second: nn.Module) -> bool:
    linear = type(first) is nn.Linear and type(second) is nn.Linear
    return linear and first.out_features == second.in_features


def _is_divisible_attention(part: Any, workers: int) -> bool:
    if type(part) is nn.MultiheadAttention:
        plain = part._qkv_same_embed_dim and part.bias_k is None and not part.add_zero_attn and part.batch_first
        return plain and part.num_heads % workers == 0
    if not is_timm(part, "Attention") or not hasattr(part, "attn_dim"):
        return False
    plain = part.gate is None and all(isinstance(each, nn.Identity) for each in (part.q_norm, part.k_norm, part.norm))
    return plain and part.num_heads % workers == 0
