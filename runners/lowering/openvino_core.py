"""OpenVINO itself, loaded once in a process."""

from functools import cache
from typing import Any

from runners.machine import telemetry


@cache
def openvino_core() -> Any:
    """The one ``openvino.Core`` of this process, which stays until the process ends.

    Each core that compiles for the processor gives its thread another stack for signals, and frees it when the core
    goes. Where two of them overlap and the first goes first, the thread is left with a stack that is freed: the next
    signal that has a handler in Python ends the process with a segmentation fault. PyTorch installs such a handler for
    the end of a child process as soon as a ``DataLoader`` has workers.
    """
    telemetry.disable_telemetry()
    import openvino

    return openvino.Core()
