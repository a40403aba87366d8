"""Which number formats change nothing to speak of in a workload's network: told before a search, not tried."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from runners.backends import all_backends
from runners.lowering.weight_only import LEAST_SHARE
from runners.workload import Workload
from spaces.environment import ModelLimit
from spaces.number_formats import NUMBER_FORMATS


def find_format_limits(workload: Workload, choices: Mapping[str, Any] | None = None) -> tuple[ModelLimit, ...]:
    """The limits of number formats that leave most of the network of ``workload`` as it is.

    Args:
        workload: Its network need not be trained.
        choices: ``{parameter: [values]}`` as `make_space` takes it, of which none other is looked at; None for all.
    """
    formats = "every" if choices is None else choices.get("numeric_precision", ())
    wanted = [each for each in _of_products() if formats == "every" or each["numeric_precision"] in formats]
    if not wanted:
        return ()
    share = share_in_products(workload.network())
    if share >= LEAST_SHARE:
        return ()
    reason = f"{share:.1%} of this network's weights belong to matrix products, and only these take fewer bits"
    return tuple(ModelLimit(each, reason) for each in wanted)


def _of_products() -> list[dict[str, str]]:
    """Choices that change the weights of matrix products alone; without a runtime where all do so."""
    found: list[dict[str, str]] = []
    for name in NUMBER_FORMATS:
        have = [backend for backend in all_backends().values() if name in backend.precisions]
        alone = [backend for backend in have if name in backend.only_products]
        if have == alone:
            found += [{"numeric_precision": name}] if alone else []
        else:
            found += [{"numeric_precision": name, "runtime": backend.name} for backend in alone]
    return found


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
