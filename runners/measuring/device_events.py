"""How long a call takes on an accelerator, by the accelerator's own clock."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

CALLS = 30
WARM_UP_CALLS = 3


def median_on_device_ms(call: Callable[[], object], device: "torch.device") -> float:
    """Median time in ms that the accelerator ``device`` takes for a ``call``, which gives it work.

    Two events are recorded in its stream, one before the call and one after it. The stream is empty by then, so the
    time includes the waits for the host, that for the first work of the call too.
    """
    for _ in range(WARM_UP_CALLS):
        call()
    return float(np.median([_one_call_ms(call, device) for _ in range(CALLS)]))


def _one_call_ms(call: Callable[[], object], device: "torch.device") -> float:
    import torch

    begin, end = torch.Event(device, enable_timing=True), torch.Event(device, enable_timing=True)
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))
