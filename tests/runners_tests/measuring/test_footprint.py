"""What a network costs is counted by hand for layers that PyTorch computes by one kernel."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from runners.measuring.footprint import count_macs
from spaces.attention.heads import keep_heads

TOKENS, WIDTH, HIDDEN = 6, 16, 32
EXAMPLE = (np.zeros((1, TOKENS, WIDTH), np.float32),)


class Attention(nn.Module):
    """Of four heads."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return self.attention(x, x, x, need_weights=False)[0]


def of_attention(width: int) -> int:
    """Multiplications of queries, keys, values and the last projection, and of two products of all tokens."""
    return TOKENS * 4 * WIDTH * width + 2 * TOKENS * TOKENS * width


def test_attention_is_counted_with_all_heads_and_with_fewer() -> None:
    network = Attention()
    assert count_macs(network, EXAMPLE) == of_attention(WIDTH)
    keep_heads(network, {"attention": [0, 3]})
    assert count_macs(network, EXAMPLE) == of_attention(WIDTH // 2)


def test_a_layer_of_an_encoder_is_counted_and_computed_by_one_kernel_afterwards() -> None:
    layer = nn.TransformerEncoderLayer(WIDTH, 4, HIDDEN, batch_first=True)
    assert count_macs(layer, EXAMPLE) == of_attention(WIDTH) + 2 * TOKENS * WIDTH * HIDDEN
    assert torch.backends.mha.get_fastpath_enabled()
