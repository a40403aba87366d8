"""The device on which torch trains and serves: an accelerator where it finds one, else the processor.

Call these only in the process that uses the device: once torch has looked for accelerators a process must not fork, and
later changes of ``CUDA_VISIBLE_DEVICES`` and the like have no effect in it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def torch_device(worker: int = 0) -> "torch.device":
    """The device that training and the torch backends use.

    Args:
        worker: The number of this process among those that train together, from 0. Each has an accelerator of its own
            where there are enough of them.
    """
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if found is None else torch.device(found.type, worker % torch.accelerator.device_count())


def accelerated() -> bool:
    """Whether `torch_device` is an accelerator."""
    return torch_device().type != "cpu"


def no_nvidia_gpu() -> str | None:
    """Why what runs on NVIDIA GPUs alone cannot be used here, or None."""
    return None if torch_device().type == "cuda" else "needs an NVIDIA GPU, and torch finds none"


def wait_for(device: "torch.device") -> None:
    """Wait until ``device`` has done all that it was given; the processor always has."""
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def process_group_backend(device: "torch.device", workers: int) -> str:
    """The backend of ``torch.distributed`` for ``workers`` processes, of which this one uses ``device``.

    It is torch's default for such devices, but gloo where several processes share an accelerator, which NCCL refuses.
    """
    import torch
    from torch import distributed

    shared = device.type != "cpu" and workers > torch.accelerator.device_count()
    return "gloo" if shared else distributed.get_default_backend_for_device(device)
