"""Where torch trains and serves here: on an accelerator where it finds one, on the processor otherwise.

To be asked in the process that does the work alone: who has asked must not fork any more, and later changes of
``CUDA_VISIBLE_DEVICES`` and the like go unseen.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def torch_device(worker: int = 0) -> "torch.device":
    """The device that training and the torch backends use here.

    Args:
        worker: Number of this process among those that work together: each has an accelerator of its own where
            there are enough of them.
    """
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if found is None else torch.device(found.type, worker % torch.accelerator.device_count())


def accelerated() -> bool:
    """Whether that is an accelerator."""
    return torch_device().type != "cpu"


def wait_for(device: "torch.device") -> None:
    """Return when ``device`` has done all that it was given, which on the processor is at once."""
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def process_group_backend(device: "torch.device", workers: int) -> str:
    """How ``workers`` processes, the one at hand on ``device``, exchange gradients: as torch does on such devices.

    Where several must share an accelerator it is gloo, since NCCL refuses that.
    """
    import torch
    from torch import distributed

    shared = device.type != "cpu" and workers > torch.accelerator.device_count()
    return "gloo" if shared else distributed.get_default_backend_for_device(device)
