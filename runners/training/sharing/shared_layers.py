"""Networks in which layers share weights."""

from torch import nn


def why_layers_share(network: nn.Module) -> str | None:
    """Why the layers of ``network`` cannot be put on several workers where some have a weight in common, or None."""
    names = {name: id(parameter) for name, parameter in network.named_parameters(remove_duplicate=False)}
    if len(set(names.values())) == len(names):
        return None
    return "layers of the network share weights, which then would lie on several workers"
