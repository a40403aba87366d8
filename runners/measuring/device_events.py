"""How long a call keeps an accelerator, by the accelerator's own clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from runners.accelerator import torch_device

if TYPE_CHECKING:
    import torch

CALLS = 30
LEAD_CALLS = 3


def median_on_device_ms(call: Callable[[], object], calls: int = CALLS) -> float | None:
    """Median time in ms from a call's first work on the accelerator to its last, or None without an accelerator.

    Two events are put into the stream of work, one before the call and one after it, and the device notes when it
    comes by: what the host does before and after that is not in it, the device's waits for the host in between are.
    A call that gives the device no work has no such time and must not be asked for one.

    Args:
        call: Works on the device of `torch_device`.
        calls: How many are timed, after some that warm up.
    """
    device = torch_device()
    if device.type == "cpu":
        return None
    for _ in range(LEAD_CALLS):
        call()
    return float(np.median([_one_call_ms(call, device) for _ in range(calls)]))


def _one_call_ms(call: Callable[[], object], device: "torch.device") -> float:
    import torch

    begin, end = torch.Event(device, enable_timing=True), torch.Event(device, enable_timing=True)
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))
