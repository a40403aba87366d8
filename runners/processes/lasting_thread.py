"""A call in a thread that outlives it, while the main thread stays free for signals."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

Result = TypeVar("Result")

LOOK_EVERY_S = 0.2
"""How often the main thread gets to its signal handlers."""

_this_thread = threading.local()


def _lead_own_group() -> None:
    """In a process that was forked."""
    if getattr(_this_thread, "lasts", False):
        os.setpgid(0, 0)


os.register_at_fork(after_in_child=_lead_own_group)


class LastingThread(Generic[Result]):
    """A thread that makes one call, begun at once, and then lives until it is closed, unless the call raises.

    Linux ends a process that asked to die with its parent when the *thread* that started it ends. So a library that
    starts such processes, as Ray does, must be called in a thread that stays.

    A process that the call starts with a ``preexec_fn``, as Ray does, leads a process group of its own. What is sent to
    the group of this process, by Ctrl-C or by ``timeout``, is for this process: it ends the others in their order.

    Args:
        call: What to call.
    """

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._future: Future[Result] = Future()
        self._closed = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def result(self) -> Result:
        """What the call returned or raised; waits for it, and a signal handler can raise meanwhile."""
        while not wait([self._future], LOOK_EVERY_S).done:
            pass
        return self._future.result()

    def close(self) -> None:
        """Let the thread end, and with it the processes that the call started; may be called twice."""
        self._closed.set()

    def _run(self) -> None:
        _this_thread.lasts = True
        try:
            self._future.set_result(self._call())
        except BaseException as error:
            self._future.set_exception(error)
        else:
            self._closed.wait()
