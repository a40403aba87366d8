"""Whether the channels of a layer are, behind reshapes, the inputs of the next layer that torch-pruning takes them for.

It imports torch only when called.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


def lands_as_mapped(module: Any, inputs: Sequence[Any], group: Any, *, reordered: bool = False) -> bool:
    """Whether removing the channels of ``group`` removes what they feed, and nothing else.

    Torch-pruning takes the channels to be the outer dimension of what is flattened, as in pictures. In sequences they
    are the inner one: then it would remove other inputs of the next layer. Nor does it know that a channel shuffle
    changes their order. So numbers that are not are put into the channels, and looked for at the layers that read them.

    Args:
        module: The network as it is traced.
        inputs: A batch of one for each of its inputs.
        group: Channels of the layer at its root, and what depends on them, as torch-pruning finds it.
        reordered: Whether the network has operations that may change the order of channels. Elsewhere only groups are
            tried in which channels are flattened.
    """
    import torch
    from torch import nn

    weighted = [(dep.target.module, idxs, _reads(dep)) for dep, idxs in group if _is_weighted(dep.target.module)]
    root, places = group[0].dep.target.module, group[0].idxs
    writers = {root: places, **{layer: idxs for layer, idxs, reads in weighted if not reads}}
    readers = {layer: {*idxs} for layer, idxs, reads in weighted if reads}
    if not reordered:
        flat = [layer for layer, idxs in readers.items() if isinstance(layer, nn.Linear) and len(idxs) > len(places)]
        readers = {layer: readers[layer] for layer in flat}
        if not readers:
            return True
    norms = {dep.target.module: idxs for dep, idxs in group if isinstance(dep.target.module, nn.LayerNorm)}
    looked_at = [layer for layer in module.modules() if _is_weighted(layer)] if reordered else [*readers]
    with _marking({**writers, **norms}), _looking([*looked_at, *norms]) as found, torch.no_grad():
        module(*inputs)
    return all(found.get(layer, set()) == readers.get(layer, set()) for layer in looked_at)


def _is_weighted(layer: Any) -> bool:
    """Whether a layer mixes its inputs, so that it has to lose the right ones."""
    from torch import nn

    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.modules.conv._ConvNd) and layer.groups == 1)


def _reads(dependency: Any) -> bool:
    name: str = dependency.handler.__name__
    return name == "prune_in_channels"


@contextmanager
def _marking(places: Mapping[Any, Sequence[int]]) -> Iterator[None]:
    """Context in which layers give numbers that are not at these ``places`` of their channels."""
    import torch
    from torch import nn

    def mark(layer: Any, _: Any, output: Any) -> Any:
        output = output.clone()
        output.movedim(1 if isinstance(layer, nn.modules.conv._ConvNd) else -1, -1)[..., places[layer]] = torch.nan
        return output

    hooks = [layer.register_forward_hook(mark) for layer in places]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _looking(layers: Sequence[Any]) -> Iterator[dict[Any, set[int]]]:
    """Context whose value tells at which places ``layers`` were given numbers that are not; they compute with zeros."""
    from torch import nn

    found: dict[Any, set[int]] = {}

    def look(layer: Any, given: Any) -> Any:
        features = given[0].movedim(1, -1) if isinstance(layer, nn.modules.conv._ConvNd) else given[0]
        marked = features.isnan().flatten(0, -2).any(0).nonzero().flatten().tolist()
        found[layer] = found.get(layer, set()) | {*marked}
        return (given[0].nan_to_num(0.0), *given[1:])

    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
