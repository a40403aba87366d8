"""What the backends that run on torch share: bf16 with float32 at the border, and calls from NumPy."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.backend import Predictor


class Bfloat16(nn.Module):
    """A network that computes in bf16 and takes and gives float32."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.bfloat16()

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.inner(inputs.bfloat16())
        return outputs.float()


def at_precision(module: nn.Module, precision: str) -> nn.Module:
    """A network that computes in ``precision``; ``module`` itself is left as it is."""
    return Bfloat16(copy.deepcopy(module)) if precision == "bf16" else module


def torch_predictor(call: Callable[[Tensor], Tensor], threads: int) -> Predictor:
    """``call`` as a function on arrays, on ``threads`` threads.

    The number of threads belongs to the process in torch, so that two predictors with different numbers would
    disturb each other: it is set again where the one before left another.
    """

    def predict(inputs: NDArray[Any]) -> NDArray[Any]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            outputs: NDArray[Any] = call(torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))).numpy()
        return outputs

    return predict
