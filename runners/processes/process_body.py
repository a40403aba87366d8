"""What a fresh process does: it calls a function, and sends what that returned to the process that began it."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from runners.processes.parent_death import die_with_parent_process
from runners.processes.progress import tell_progress_to
from runners.runner import FailureKind, StageFailed

VISIBLE_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "ONEAPI_DEVICE_SELECTOR",
    "ASCEND_RT_VISIBLE_DEVICES",
    "HABANA_VISIBLE_MODULES",
)
"""Environment variables that say which accelerators a process may use. The server keeps those that it was started with,
while Ray sets them anew for every task, so each fresh process is given its caller's."""

PROGRESS_EVERY_S = 1.0
"""How often progress is reported at most: a pipe that nobody reads fills up."""


def run_and_send(
    sender: Connection, visible: dict[str, str | None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()
    os.dup2(2, 1)  # what a model prints must not mix with what a command prints
    set_visible_devices(visible)
    die_with_parent_process()
    _end_with_caller(sender)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _report_progress_to(sender)
    answer: tuple[FailureKind | None, Any]
    try:
        answer = None, function(*arguments)
    except StageFailed as error:
        answer = error.kind, str(error)
    except Exception as error:
        answer = "candidate", f"{type(error).__name__}: {error}"
    with suppress(BrokenPipeError):  # nobody waits for it any more
        sender.send(answer)


def _report_progress_to(sender: Connection) -> None:
    """Let `report_progress` send a message, not more often than every `PROGRESS_EVERY_S`."""
    last = time.monotonic()

    def send() -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_EVERY_S:
            last = time.monotonic()
            sender.send(None)

    tell_progress_to(send)


def set_visible_devices(visible: dict[str, str | None]) -> None:
    """Use the accelerators that the caller may use; called before anything asks for one."""
    for name, value in visible.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _end_with_caller(sender: Connection) -> None:
    """End this process and all that it started when the caller has closed its end of the pipe, as when it is killed.

    The server does not end then: it watches a pipe that its living children hold open.
    """
    pipe = select.poll()
    pipe.register(sender.fileno(), 0)  # a closed end is reported whatever is asked for

    def watch() -> None:
        pipe.poll()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
