"""What the backends that run on torch share: 16 bits with float32 at the border, the device, and calls from NumPy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from runners.backend import Predictor
from runners.inputs import network_batch
from runners.machine.accelerator import torch_device, wait_for


class SixteenBits(nn.Module):
    """A network that computes in bf16 or fp16 and takes and gives float32; whole numbers and bool stay as they are."""

    def __init__(self, inner: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.inner = inner.to(dtype)
        self.dtype = dtype

    def forward(self, inputs: Tensor, *others: Tensor) -> Tensor:
        given = (each.to(self.dtype) if each.is_floating_point() else each for each in (inputs, *others))
        outputs: Tensor = self.inner(*given)
        return outputs.float()


DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The formats whose numbers torch stores as such; tf32 is stored as float32."""


def at_precision(module: nn.Module, precision: str) -> nn.Module:
    """A network that computes in ``precision``; the weights of ``module`` are changed for it in place."""
    return SixteenBits(module, DTYPES[precision]) if precision in DTYPES else module


def program_on(program: Any, device: torch.device) -> Any:
    """A program of ``torch.export``, written on a processor, on ``device``."""
    from torch.export.passes import move_to_device_pass

    return program if device.type == "cpu" else move_to_device_pass(program, device)


def program_module(program: Any, device: torch.device) -> nn.Module:
    """The same as a module."""
    placed = program_on(program, device)
    # The guards check shapes and types in Python at every call, which costs more than a small layer.
    module: nn.Module = placed.module(check_guards=False)
    return module


@dataclass(frozen=True)
class OnAccelerator:
    """A function on arrays that is computed on an accelerator.

    Attributes:
        call: What is computed, from tensors on ``device`` to one there.
        device: The accelerator.
        threads: Threads of the host.
        tuned: Whether it computes with TF32 and in channels_last.
        tf32: Whether it computes with TF32.
    """

    call: Callable[..., Tensor]
    device: torch.device
    threads: int
    tuned: bool = False
    tf32: bool = False

    def place(self, *inputs: NDArray[Any]) -> tuple[Tensor, ...]:
        """The inputs on the device."""
        return tuple(map(self._placed, inputs))

    def _placed(self, array: NDArray[Any]) -> Tensor:
        placed = _tensor(array).to(self.device)
        is_image = self.tuned and placed.dim() == 4
        return placed.to(memory_format=torch.channels_last) if is_image else placed

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        _use_threads(self.threads)
        _use_matmul_precision("high" if self.tuned or self.tf32 else "highest")
        with torch.inference_mode():
            outputs = self.call(*self.place(*inputs))
            if outputs.device.type == "cpu":
                wait_for(self.device)
            # The copy to the host waits for the device, so that all is done when this returns.
            array: NDArray[Any] = outputs.cpu().numpy()
        return array


def torch_predictor(call: Callable[..., Tensor], threads: int) -> Predictor:
    """``call`` as a function on arrays, on the accelerator where there is one, and on ``threads`` threads.

    The number of threads belongs to the process in torch, so that two predictors with different numbers would
    disturb each other: it is set again where the one before left another.

    Args:
        call: A network, which is moved to the `torch_device`, or any function that computes there.
        threads: Threads of one call.
    """
    device = torch_device()
    if device.type == "cpu":
        return processor_predictor(call, threads)
    return OnAccelerator(call.to(device) if isinstance(call, nn.Module) else call, device, threads)


def tuned(predictor: Predictor) -> Predictor:
    """``predictor`` with TF32 and channels_last, as PyTorch's performance tuning guide recommends for accelerators.

    One that runs on the processor stays as it is.
    """
    if not isinstance(predictor, OnAccelerator):
        return predictor
    call = predictor.call
    if isinstance(call, nn.Module) and not isinstance(call, torch.jit.ScriptModule):
        call = call.to(memory_format=torch.channels_last)
    return replace(predictor, call=call, tuned=True)


def with_tf32(predictor: Predictor) -> Predictor:
    """``predictor`` with products computed with TF32; one that runs on the processor stays as it is."""
    return replace(predictor, tf32=True) if isinstance(predictor, OnAccelerator) else predictor


def processor_predictor(call: Callable[..., Tensor], threads: int) -> Predictor:
    """As `torch_predictor`, and on the processor also where there is an accelerator, such as for machine code."""

    def predict(*inputs: NDArray[Any]) -> NDArray[Any]:
        _use_threads(threads)
        with torch.inference_mode():
            outputs: NDArray[Any] = call(*map(_tensor, inputs)).numpy()
        return outputs

    return predict


def _use_threads(threads: int) -> None:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _use_matmul_precision(precision: str) -> None:
    """As `_use_threads`: ``high`` lets float32 products be computed with TF32, ``highest`` is torch's default."""
    if torch.get_float32_matmul_precision() != precision:
        torch.set_float32_matmul_precision(precision)


def _tensor(inputs: NDArray[Any]) -> Tensor:
    return torch.from_numpy(network_batch(inputs))
