"""Blocks that can leave a network: repeated parts in a row of layers that give a tensor of the shape that they take."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from spaces.errors import WorkFailed
from spaces.network_changes.layer_calls import LayerCall, first_tensor, layer_calls


def removable_blocks(network: Any, example: Sequence[Any]) -> list[str]:
    """The names of the blocks of ``network`` that can leave it, in the order in which it calls them.

    A block is a part of a row (``nn.Sequential``, ``nn.ModuleList``) in which its class occurs again, such as a
    residual block of a stage or a layer of an encoder. It can leave where it is called once and its output has the
    shape of its input. Of blocks inside of each other the inner ones count.

    Args:
        network: In eval mode.
        example: A tensor for each input.

    Raises:
        WorkFailed: There are none.
    """
    repeated, calls = _repeated(network), layer_calls(network, example)
    times = Counter(call.name for call in calls)
    fitting = [call.name for call in calls if call.name in repeated and times[call.name] == 1 and _keeps_shape(call)]
    inner = [name for name in fitting if not any(other.startswith(f"{name}.") for other in fitting)]
    if not inner:
        raise WorkFailed(
            "this network has no block that could leave it: no repeated part of a Sequential or ModuleList gives a "
            "tensor of the shape that it takes"
        )
    return inner


def most_that_leave(network: Any, blocks: Sequence[str]) -> int:
    """How many of ``blocks`` can leave together: one part stays in each row."""
    return len(leaving(network, blocks, len(blocks)))


def leaving(network: Any, preferred: Sequence[str], count: int) -> list[str]:
    """Up to ``count`` blocks that leave, the ``preferred`` first; the last part of a row stays."""
    left = {parent: len(list(network.get_submodule(parent).children())) for parent in map(_parent, preferred)}
    chosen: list[str] = []
    for name in preferred:
        if len(chosen) < count and left[_parent(name)] > 1:
            left[_parent(name)] -= 1
            chosen.append(name)
    return chosen


def share_of(count: int, share: float, what: str) -> int:
    """The number that is a ``share`` of ``count``, rounded.

    Raises:
        WorkFailed: It is 0.
    """
    number = int(share * count + 0.5)
    if number == 0:
        raise WorkFailed(f"{what} of the {count} blocks that can leave removes none; give another share")
    return number


def remove_blocks(network: Any, blocks: Sequence[str]) -> Any:
    """``network`` without ``blocks``, changed in place; the rest of each row is numbered anew."""
    places: dict[str, list[int]] = {}
    for name in blocks:
        row = [child for child, _ in network.get_submodule(_parent(name)).named_children()]
        places.setdefault(_parent(name), []).append(row.index(name.rpartition(".")[2]))
    for parent, positions in sorted(places.items(), key=lambda place: -_depth(place[0])):  # the inner rows first
        for position in sorted(positions, reverse=True):
            del network.get_submodule(parent)[position]
    return network


@contextmanager
def skipped(network: Any, block: str) -> Iterator[None]:
    """Context in which ``block`` gives its input."""

    def give_input(module: Any, args: Any, kwargs: Any, output: Any) -> Any:
        given = first_tensor((*args, *kwargs.values()))
        return (given, *output[1:]) if isinstance(output, tuple) else given

    handle = network.get_submodule(block).register_forward_hook(give_input, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _depth(name: str) -> int:
    return name.count(".") + 1 if name else 0


def _repeated(network: Any) -> set[str]:
    """The names of the parts of rows that are blocks, and of a kind that occurs again in their row."""
    from torch import nn

    found = set()
    for name, row in network.named_modules():
        parts = dict(row.named_children()) if isinstance(row, (nn.Sequential, nn.ModuleList)) else {}
        kinds = [_kind(part) for part in parts.values()]
        for child, part in parts.items():
            if kinds.count(_kind(part)) > 1 and _is_block(part):
                found.add(f"{name}.{child}" if name else child)
    return found


def _kind(part: Any) -> Any:
    """The class of ``part``, or the classes of the layers in a row."""
    from torch import nn

    return tuple(map(type, part.children())) if type(part) is nn.Sequential else type(part)


def _is_block(part: Any) -> bool:
    """Whether ``part`` is made of layers with a convolution or product among them.

    A row is a block only where it holds nothing but layers, as convolution, norm and activation.
    """
    from torch import nn

    inside = list(part.children())
    if not inside or all(weight.dim() < 2 for weight in part.parameters()):
        return False
    if isinstance(part, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        return type(part) is nn.Sequential and all(next(layer.children(), None) is None for layer in inside)
    return True


def _keeps_shape(call: LayerCall) -> bool:
    return call.input is not None and call.output is not None and call.input.shape == call.output.shape
