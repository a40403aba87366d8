"""The inputs of a network: a tuple of arrays, whatever form a split gives them in, each with the batch first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import RequestError

Arrays = tuple[NDArray[Any], ...]
"""One array for each input of a network, in the order in which it is called with them; the batch is dimension 0."""

ONE = "input"
"""The name of the input where a network has one that is not named."""

TARGET_KEYS = ("labels", "label", "targets", "target")
"""Keys under which a mapping of examples has their targets, beside the inputs."""


@dataclass(frozen=True)
class ExampleInputs:
    """One example as a network is called with it, and what is known of each input.

    Attributes:
        arrays: A batch of one for each input: float32, int64 or bool, ``(1, *shape)``.
        names: Their names, which exported files use.
        dynamic: For each input the dimension beside the batch whose size may differ between calls, such as 1 for the
            length of a sequence, or None. All that have one share the same size in a call.
    """

    arrays: Arrays
    names: tuple[str, ...] = (ONE,)
    dynamic: tuple[int | None, ...] = (None,)

    @classmethod
    def of(cls, *arrays: NDArray[Any]) -> "ExampleInputs":
        """Inputs without a dynamic dimension: one named ``input``, or several named ``input_0``, ``input_1``, ..."""
        names = (ONE,) if len(arrays) == 1 else tuple(f"{ONE}_{number}" for number in range(len(arrays)))
        return cls(arrays, names, (None,) * len(arrays))

    def repeated(self, rows: int) -> Arrays:
        """The example ``rows`` times in one batch."""
        return tuple(np.repeat(array, rows, axis=0) for array in self.arrays)

    @property
    def is_dynamic(self) -> bool:
        """Whether an input has a dynamic dimension."""
        return any(place is not None for place in self.dynamic)

    @property
    def free_size(self) -> int | None:
        """The size of the dynamic dimension in this example; None without one."""
        sizes = (
            array.shape[place] for array, place in zip(self.arrays, self.dynamic, strict=True) if place is not None
        )
        return next(sizes, None)

    @property
    def shapes(self) -> tuple[tuple[int | None, ...], ...]:
        """The shape of each input without its batch; None is a size that may differ between calls."""
        return tuple(
            tuple(None if place == free else size for place, size in enumerate(array.shape) if place)
            for array, free in zip(self.arrays, self.dynamic, strict=True)
        )


def read(split: Any, indices: NDArray[np.int64]) -> tuple[Arrays, Any]:
    """Inputs and targets of a `runners.workload.Split` at ``indices``, the inputs as `as_arrays` gives them.

    The targets are None where there are no labels.
    """
    inputs, targets = split.batch(indices)
    return as_arrays(inputs), targets


def as_arrays(inputs: Any) -> Arrays:
    """What a split gave as inputs as a tuple of arrays: one array, a tuple of them, or a mapping by argument name.

    Raises:
        RequestError: Something in it holds no numbers.
    """
    if isinstance(inputs, Mapping):
        inputs = tuple(inputs.values())
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return tuple(map(network_input, parts))


def without_target(examples: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The inputs by name, and the targets, which stand under the first of `TARGET_KEYS`; None where under none."""
    key = next((key for key in TARGET_KEYS if key in examples), None)
    inputs = {name: values for name, values in examples.items() if name != key}
    return inputs, None if key is None else examples[key]


def network_input(values: Any) -> NDArray[Any]:
    """``values`` in the number format in which a network is given them.

    Floating numbers and pictures of uint8 become float32; other whole numbers become int64, so that no format rounds
    them; bool stays bool.

    Raises:
        RequestError: They are no numbers.
    """
    array = np.asarray(values)
    if array.dtype == np.float32 or array.dtype == np.int64 or array.dtype == np.bool_:
        return array
    if array.dtype.kind == "f" or array.dtype == np.uint8:
        return array.astype(np.float32)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    raise RequestError(f"an input is an array of {array.dtype}; give floating or whole numbers, or bool")


def network_batch(array: NDArray[Any]) -> NDArray[Any]:
    """As `network_input`, for an array that is about to be given to a runtime: contiguous, and all floats float32."""
    return np.ascontiguousarray(array, dtype=np.float32 if array.dtype.kind == "f" else None)


def rows(inputs: Arrays, chosen: Any) -> Arrays:
    """The ``chosen`` examples of a batch, a slice or indices."""
    return tuple(array[chosen] for array in inputs)


def one_by_one(*inputs: NDArray[Any]) -> list[Arrays]:
    """The examples of a batch, each as a batch of one."""
    return [rows(inputs, slice(number, number + 1)) for number in range(len(inputs[0]))]


def shortened(inputs: Arrays, dynamic: Sequence[int | None]) -> Arrays:
    """A batch cut to three quarters of its length along the ``dynamic`` dimension of each input that has one."""
    return tuple(
        array if place is None else array[(slice(None),) * place + (slice(max(1, array.shape[place] * 3 // 4)),)]
        for array, place in zip(inputs, dynamic, strict=True)
    )


def augmented(augment: Callable[..., Any], inputs: tuple[Any, ...], generator: Any) -> tuple[Any, ...]:
    """A training batch changed by a workload's augmentation, which takes and gives one tensor, or a tuple of several.

    Args:
        augment: The augmentation.
        inputs: A tensor for each input.
        generator: Decides what it draws.
    """
    changed = augment(inputs[0] if len(inputs) == 1 else inputs, generator)
    return changed if isinstance(changed, tuple) else (changed,)


def keywords(inputs: Any) -> tuple[str, ...]:
    """The argument names by which a network is called with ``inputs`` of a split; empty where they have no names."""
    return tuple(map(str, inputs)) if isinstance(inputs, Mapping) else ()


def input_names(inputs: Any, forward: Callable[[], Callable[..., Any]]) -> tuple[str, ...]:
    """A name for each of ``inputs`` as a split gave them.

    Those of a mapping are its keys, those of a tuple the arguments of the function that ``forward()`` gives, as far as
    it names them. One array is ``input``.
    """
    if isinstance(inputs, Mapping):
        return keywords(inputs)
    if not isinstance(inputs, tuple):
        return (ONE,)
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    named = [each.name for each in signature(forward()).parameters.values() if each.kind in positional]
    return tuple(named[number] if number < len(named) else f"{ONE}_{number}" for number in range(len(inputs)))
