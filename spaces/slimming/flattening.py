"""Whether the channels of a layer, once flattened, are the inputs of the next layer that torch-pruning takes them for.

It imports torch only when called.
"""

from collections.abc import Sequence
from typing import Any


def lands_as_mapped(module: Any, inputs: Sequence[Any], group: Any) -> bool:
    """Whether removing the channels of ``group`` removes what they feed, and nothing else.

    Torch-pruning takes the channels to be the outer dimension of what is flattened, as in pictures. In sequences they
    are the inner one: then it would remove other inputs of the next layer. So numbers that are not are put into the
    channels, and looked for at the layers that read them. Only groups are tried in which channels are flattened.

    Args:
        module: The network as it is traced.
        inputs: A batch of one for each of its inputs.
        group: Channels of the layer at its root, and what depends on them, as torch-pruning finds it.
    """
    import torch
    from torch import nn

    root, places = group[0].dep.target.module, group[0].idxs
    readers = {
        dep.target.module: {*idxs}
        for dep, idxs in group
        if isinstance(dep.target.module, nn.Linear) and dep.target.module is not root and len(idxs) > len(places)
    }
    if not readers:
        return True
    found: dict[Any, set[int]] = {}

    def mark(_: Any, __: Any, output: Any) -> Any:
        output = output.clone()
        output.movedim(1 if isinstance(root, nn.modules.conv._ConvNd) else -1, -1)[..., places] = torch.nan
        return output

    def look(layer: Any, given: Any) -> None:
        found[layer] = {*given[0].isnan().flatten(0, -2).any(0).nonzero().flatten().tolist()}

    hooks = [root.register_forward_hook(mark), *(reader.register_forward_pre_hook(look) for reader in readers)]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found == readers
