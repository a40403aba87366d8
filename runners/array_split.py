"""A split of arrays that lie in memory."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays, keywords, network_input
from spaces.errors import RequestError


class ArraySplit:
    """Inputs ``(n, *input_shape)`` and targets ``(n, ...)`` that lie in memory.

    Args:
        inputs: An array, or several as a tuple or a dict by argument name.
        targets: One for each input; None without labels.

    Raises:
        RequestError: The lengths differ, or an input is not finite or holds no numbers.
    """

    def __init__(self, inputs: Any, targets: Any = None) -> None:
        self.inputs = _in_memory(inputs)
        self.targets = None if targets is None else np.asarray(targets)
        count = len(_arrays(self.inputs)[0]) if self.targets is None else len(self.targets)
        for array in _arrays(self.inputs):
            if len(array) != count:
                if self.targets is None:
                    raise RequestError(f"its inputs have {count} and {len(array)} examples; give as many of each")
                raise RequestError(f"{len(array)} inputs and {count} targets; give one target an input")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise RequestError("the inputs hold NaN or infinity; clean the data")

    def __len__(self) -> int:
        return len(_arrays(self.inputs)[0])

    def batch(self, indices: NDArray[np.int64]) -> tuple[Any, Any]:
        """Inputs and targets at ``indices``, the inputs in the number format in which a network is given them."""
        targets = None if self.targets is None else self.targets[indices]
        if isinstance(self.inputs, Mapping):
            return {name: network_input(array[indices]) for name, array in self.inputs.items()}, targets
        if isinstance(self.inputs, tuple):
            return tuple(network_input(array[indices]) for array in self.inputs), targets
        return network_input(self.inputs[indices]), targets

    def fingerprint(self) -> str:
        """SHA-256 over names, shapes, types and bytes of all arrays."""
        digest = hashlib.sha256("".join(keywords(self.inputs)).encode())
        for array in (*_arrays(self.inputs), *(() if self.targets is None else (self.targets,))):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _arrays(inputs: Any) -> Arrays:
    """The arrays that lie in memory, as they are."""
    if isinstance(inputs, Mapping):
        return tuple(inputs.values())
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _in_memory(inputs: Any) -> Any:
    """``inputs`` with arrays in place of what can be read as one."""
    if isinstance(inputs, Mapping):
        return {str(name): _array(values, f"the input {name}") for name, values in inputs.items()}
    if isinstance(inputs, tuple) and all(hasattr(values, "shape") for values in inputs):
        return tuple(_array(values, f"input {number}") for number, values in enumerate(inputs))
    return _array(inputs, "the inputs")


def _array(values: Any, what: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise RequestError(
            f"{what} are parts of different shapes ({error}); give one array with an example in each row, and several "
            "inputs as a tuple of arrays, or as a dict by argument name"
        ) from error
    if not array.ndim:
        raise RequestError(f"{what} are {type(values).__name__}; give an array with an example in each row")
    return array
