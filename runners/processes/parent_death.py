"""A process that ends when the one that started it does, however that one ends."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def die_with_parent_process() -> None:
    """Ask Linux to kill this process when its parent dies; on other systems nothing is done."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
