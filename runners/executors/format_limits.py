"""Which number formats change nothing to speak of in a workload's network: told before a search, not tried."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from runners.lowering.weight_only import LEAST_SHARE
from runners.workload import Workload
from spaces.environment import ModelLimit

OF_PRODUCTS: tuple[dict[str, str], ...] = (
    {"numeric_precision": "int8_weight_only", "runtime": "onnxruntime"},
    {"numeric_precision": "int4_weight_only"},
)
"""Choices that change the weights of matrix products alone, and leave convolutions as they are."""


def find_format_limits(workload: Workload, choices: Mapping[str, Any] | None = None) -> tuple[ModelLimit, ...]:
    """The limits of number formats that leave most of the network of ``workload`` as it is.

    Args:
        workload: Its network need not be trained.
        choices: ``{parameter: [values]}`` as `make_space` takes it, of which none other is looked at; None for all.
    """
    formats = "every" if choices is None else choices.get("numeric_precision", ())
    wanted = [each for each in OF_PRODUCTS if formats == "every" or each["numeric_precision"] in formats]
    if not wanted:
        return ()
    share = share_in_products(workload.network())
    if share >= LEAST_SHARE:
        return ()
    reason = f"{share:.1%} of this network's weights belong to matrix products, and only these take fewer bits"
    return tuple(ModelLimit(each, reason) for each in wanted)


def share_in_products(network: nn.Module) -> float:
    """Of the numbers in weights the share that matrix products may use, from 0 to 1: those of two dimensions.

    Embeddings are looked up, and recurrent layers are operators of their own, which keep their weights as they are.
    """
    others = {
        id(weight)
        for layer in network.modules()
        if isinstance(layer, (nn.Embedding, nn.EmbeddingBag, nn.RNNBase))
        for weight in layer.parameters()
    }
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    multiplied = sum(weight.numel() for weight in weights if weight.dim() == 2 and id(weight) not in others)
    return multiplied / max(1, sum(weight.numel() for weight in weights))
