"""Whether a process ends."""

import time

import psutil


def ends_within(seconds: float, process: int) -> bool:
    """Whether the process with that id is gone, or a zombie, by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(process) or psutil.Process(process).status() == "zombie":
            return True
        time.sleep(0.05)
    return False
