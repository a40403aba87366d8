"""How long a call keeps an accelerator, by the accelerator's own clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

CALLS = 30
LEAD_CALLS = 3


def median_on_device_ms(call: Callable[[], object], device: "torch.device", calls: int = CALLS) -> float:
    """Median time in ms that ``device`` takes for a call.

    Two events are put into the stream of work, one before the call and one after it, and the device notes when it
    comes by. It has nothing else to do by then, so its waits for the host count, that for the call's first work too.

    Args:
        call: Gives ``device`` work to do.
        device: An accelerator.
        calls: How many are timed, after some that warm up.
    """
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
