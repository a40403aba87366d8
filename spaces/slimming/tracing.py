"""What torch-pruning is told of reshapes and splits, which it does not read right from PyTorch as it is today.

It imports torch only when called.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from spaces.errors import WorkFailed
from spaces.slimming.layers import autograd_nodes

SHUFFLES = ("ChannelShuffle", "NativeChannelShuffle", "PixelShuffle", "PixelUnshuffle")
"""What autograd calls operations that change the order of channels, and that torch-pruning takes to change nothing."""


@contextmanager
def shapes_read(model: Any) -> Iterator[None]:
    """Context in which torch-pruning knows the shapes that autograd recorded, and follows channels for ever nowhere.

    Torch-pruning 1.6.1 looks for ``_saved_self_sizes``, which PyTorch calls ``_saved_self_sym_sizes`` today. So it
    guesses: a reshape between four and five dimensions, as of channel shuffle and of windows, is one that flattens, and
    it comes back to it with more and more channels; and the parts of a split are as large as what reads them.

    Args:
        model: The network that is traced, whose largest layer bounds the number of channels.
    """
    from torch_pruning.dependency import index_mapping, shape_infer

    mapping, most = index_mapping._FlattenIndexMapping, max(size for p in model.parameters() for size in p.shape)
    elsewhere: set[Any] = set()
    own = (
        (mapping, "__call__", _bounded(mapping.__call__, most)),
        (index_mapping, "update_reshape_index_mapping", _where(_flattens, index_mapping.update_reshape_index_mapping)),
        (index_mapping, "update_concat_index_mapping", _joined(index_mapping.update_concat_index_mapping)),
        (
            index_mapping,
            "update_slice_index_mapping",
            _where(lambda node: node not in elsewhere, index_mapping.update_slice_index_mapping),
        ),
        (shape_infer, "init_shape_information", _sized(shape_infer.init_shape_information, elsewhere)),
    )
    with ExitStack() as replaced:
        for owner, name, function in own:
            replaced.enter_context(_replaced(owner, name, function))
        yield


@contextmanager
def _replaced(owner: Any, name: str, function: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _bounded(expand: Any, most: int) -> Any:
    """Give up where a reshape is followed again and again."""

    def bounded(mapping: Any, channels: Any) -> Any:
        found = expand(mapping, channels)
        if len(found) > 2 * most:
            raise WorkFailed("torch-pruning does not understand how it reshapes its features")
        return found

    return bounded


def _where(holds: Callable[[Any], bool], update: Callable[[Any, Any], None]) -> Any:
    """Call ``update`` with the graph and those nodes alone for which this ``holds``."""

    def update_some(graph: Any, node: Any) -> None:
        if holds(node):
            update(graph, node)

    return update_some


def _joined(update: Callable[[Any, Any], None]) -> Any:
    """Where the sizes of what is joined are known, let torch-pruning not compare them with its guess."""
    from torch_pruning.dependency import shape_infer
    from torch_pruning.ops import OPTYPE

    def update_known(graph: Any, node: Any) -> None:
        known = node.type == OPTYPE.CONCAT and node.module.concat_sizes is not None
        guess = shape_infer.infer_in_channels_recursively
        with _replaced(shape_infer, "infer_in_channels_recursively", (lambda *_, **__: None) if known else guess):
            update(graph, node)

    return update_known


def _sized(initialise: Callable[[Any], None], elsewhere: set[Any]) -> Any:
    """Add the sizes of what is split or joined, and the slices that cut ``elsewhere`` than in channels."""
    from torch_pruning.ops import OPTYPE

    def initialise_all(graph: Any) -> None:
        initialise(graph)
        for node in graph.module2node.values():
            if node.type == OPTYPE.SPLIT:
                _set_parts(node)
            elif node.type == OPTYPE.CONCAT:
                _set_joined(node)
            elif node.type == OPTYPE.SLICE and not _cuts_channels(graph, node):
                elsewhere.add(node)

    return initialise_all


def reorders(module: Any, inputs: Sequence[Any]) -> bool:
    """Whether ``module`` may change the order of channels: by a shuffle, or a reshape of pictures to more dimensions.

    Args:
        module: Gives a list of tensors.
        inputs: A batch of one for each of its inputs.
    """
    for node in autograd_nodes(module, inputs):
        shapes = _shapes(node)
        if node.name().startswith(SHUFFLES) or (shapes and len(shapes[0]) == 4 and len(shapes[1]) > 4):
            return True
    return False


def _shapes(function: Any) -> tuple[Any, Any] | None:
    """The shapes before and after a reshape; None for what is none."""
    is_view = any(word in function.name() for word in ("View", "Reshape"))
    before = getattr(function, "_saved_self_sym_sizes", None) if is_view else None
    return (before, function._input_metadata[0].shape) if before is not None else None


def _flattens(node: Any) -> bool:
    """Whether a reshape makes one row of each example, or takes such rows apart."""
    if (shapes := _shapes(node.grad_fn)) is None:
        return True
    before, after = shapes
    return min(len(before), len(after)) <= 2 and before[0] == after[0]


def _set_parts(node: Any) -> None:
    """Give a split of channels the sizes of its parts, in their order.

    It is left alone where several layers read one part.
    """
    shapes = [each.shape for each in node.grad_fn._input_metadata]
    readers = {place: reader for reader in node.outputs for place in _places(reader.grad_fn, node.grad_fn)}
    if len(node.outputs) == len(readers) == len(shapes) and (sizes := _along_channels(node.grad_fn, shapes)):
        node.outputs[:] = [readers[place] for place in range(len(shapes))]
        node.module.split_sizes = sizes
        node.module.offsets = [sum(sizes[:place]) for place in range(len(sizes) + 1)]


def _set_joined(node: Any) -> None:
    """Give a concatenation of channels the sizes of what it joins, in their order."""
    parts = [(before, place) for before, place in node.grad_fn.next_functions if before is not None]
    if len(parts) == len(node.inputs) == len(node.grad_fn.next_functions):
        shapes = [before._input_metadata[place].shape for before, place in parts]
        node.module.concat_sizes = _along_channels(node.grad_fn, shapes)


def _cuts_channels(graph: Any, node: Any) -> bool:
    """Whether a slice is one of channels; of pictures with their channels last, the rows are in the second place."""
    from torch_pruning.dependency import shape_infer

    sizes, dimension = node.grad_fn._saved_self_sym_sizes, node.grad_fn._saved_dim
    number = shape_infer.infer_out_channels_recursively(graph, node.inputs[0], [0]) if node.inputs else None
    return number is None or dimension >= len(sizes) or int(sizes[dimension]) == number


def _along_channels(function: Any, shapes: Sequence[Any]) -> list[int] | None:
    """The sizes of ``shapes`` in the dimension of ``function``, where that is one of channels."""
    number, dimension = len(shapes[0]), function._saved_dim
    if dimension >= number:  # a dimension counted from the end is kept as a large number
        dimension -= 2**64
    of_channels = (1, -1) if number > 3 else (-1, number - 1)
    return [int(shape[dimension]) for shape in shapes] if dimension in of_channels else None


def _places(reader: Any, function: Any) -> list[int]:
    """Which outputs of ``function`` the autograd node ``reader`` takes."""
    return [place for before, place in reader.next_functions if before is function]
