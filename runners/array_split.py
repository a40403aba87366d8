"""A split of the data that lies in memory as two arrays."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import RequestError


class ArraySplit:
    """Inputs ``(n, *input_shape)``, handed out as float32, and targets ``(n, ...)``.

    Raises:
        RequestError: The lengths differ, or an input is not finite.
    """

    def __init__(self, inputs: Any, targets: Any) -> None:
        self.inputs = np.asarray(inputs)
        self.targets = np.asarray(targets)
        if len(self.inputs) != len(self.targets):
            raise RequestError(f"{len(self.inputs)} inputs and {len(self.targets)} targets; give one target an input")
        if self.inputs.dtype.kind == "f" and not np.isfinite(self.inputs).all():
            raise RequestError("the inputs hold NaN or infinity; clean the data")

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs as float32 and targets at ``indices``."""
        return self.inputs[indices].astype(np.float32, copy=False), self.targets[indices]

    def fingerprint(self) -> str:
        """SHA-256 over shapes, types and bytes of both arrays."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
