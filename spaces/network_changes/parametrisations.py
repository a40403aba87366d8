"""Writes weights that a network computes from others at every call, as weight norm does; imports torch only then."""

from typing import Any


def is_parametrised(network: Any) -> bool:
    """Whether a weight of ``network``, a ``torch.nn.Module``, is computed from other tensors at every call."""
    from torch.nn.utils import parametrize

    return any(parametrize.is_parametrized(layer) or _hooks(layer) for layer in network.modules())


def remove_parametrisations(network: Any) -> None:
    """Put plain weights of the same values in place of all that are computed at every call; it is left in eval mode.

    These are ``torch.nn.utils.parametrizations`` (weight norm, spectral norm, orthogonal and one's own), the older
    ``weight_norm`` and ``spectral_norm``, and the masks of ``torch.nn.utils.prune``.

    Args:
        network: A ``torch.nn.Module``, changed in place.
    """
    from torch.nn.utils import parametrize

    network.eval()  # in training mode, to look at a spectrally normed weight changes it
    for layer in list(network.modules()):
        for name in [*layer.parametrizations] if parametrize.is_parametrized(layer) else []:
            computed_from = [*layer.parametrizations[name].parameters()]
            trainable = any(parameter.requires_grad for parameter in computed_from)
            for parameter in computed_from:
                parameter.requires_grad_(True)  # else torch may leave a tensor that is no parameter
            parametrize.remove_parametrizations(layer, name, leave_parametrized=True)
            layer.get_parameter(name).requires_grad_(trainable)
        for key, hook in _hooks(layer).items():
            name = getattr(hook, "_tensor_name", None) or hook.name
            own = dict(layer.named_parameters(recurse=False))
            trainable = any(own[other].requires_grad for other in own if other.startswith(f"{name}_"))
            hook.remove(layer)
            del layer._forward_pre_hooks[key]
            layer.get_parameter(name).requires_grad_(trainable)


def _hooks(layer: Any) -> dict[int, Any]:
    """The older parametrisations of a layer, which are hooks that run before its ``forward``, by their numbers."""
    from torch.nn.utils.prune import BasePruningMethod
    from torch.nn.utils.spectral_norm import SpectralNorm
    from torch.nn.utils.weight_norm import WeightNorm

    kinds = (WeightNorm, SpectralNorm, BasePruningMethod)
    return {key: hook for key, hook in layer._forward_pre_hooks.items() if isinstance(hook, kinds)}
