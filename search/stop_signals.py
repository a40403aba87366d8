"""What the signals that end a command do: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed).

The command ends within `DEADLINE_S` with exit code 128 + the signal's number, after one sentence on stderr on what is
left and how to go on. A second signal ends it at once. Nothing that it started is left running.

Only the standard library is imported here, because the command line handles signals before it imports anything else.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

DEADLINE_S = 9.0
"""The process is ended this long after the first signal, whatever it is doing."""
SAME_S = 0.5
"""Signals this close together count as one: `timeout` of the coreutils sends a signal to its child and to its group."""

SHOW_CURSOR = b"\x1b[?25h"
"""For a terminal whose cursor is hidden by a progress display."""


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end."""


class StopSignals:
    """Ends this process when one of `SIGNALS` arrives; the only object is `stop_signals`, as signals are the process's.

    Inside of `cleaning_up` the signal raises `Stopped` in the main thread. Elsewhere, as while modules are imported, it
    ends the process at once: an exception that is raised in an import can be lost or turn into another one.
    """

    def __init__(self) -> None:
        self._installed = False
        self._terminals: list[int] = []
        self._left = ["nothing was begun"]
        self._first: tuple[int, str] | None = None
        self._raised = False
        self._started: list[Any] = []
        self._ending = threading.Lock()

    @property
    def arrived(self) -> bool:
        """Whether a signal has arrived."""
        return self._first is not None

    def install(self) -> None:
        """Handle the signals from now on, except those that are ignored, as under ``nohup``; only in the main thread.

        Once is enough: called again, it does nothing.
        """
        if self._installed:
            return
        self._installed = True
        self._terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reader,), name="stop-signals", daemon=True).start()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        os.register_at_fork(after_in_child=_leave_signals_alone)

    @contextmanager
    def cleaning_up(self, left: str = "") -> Iterator[None]:
        """Raise `Stopped` in the block when a signal arrives, so that the block can clean up.

        Args:
            left: What is left then and how to go on, for the sentence on stderr; empty where there is nothing to say.
        """
        self._left.append(left)
        try:
            yield
        finally:
            self._left.pop()
            self._left[0] = ""  # something was begun

    def leaves(self, left: str) -> None:
        """Let the sentence of the innermost block say ``left`` from now on."""
        self._left[-1] = left

    def end(self) -> NoReturn:
        """End all that this process started, say what is left, and exit with 128 + the number of the signal."""
        assert self._first is not None
        if not self._ending.acquire(blocking=False):
            threading.Event().wait()  # until the other thread has ended the process
        for process in {*self._started, *_descendants()}:
            with suppress(Exception):  # it has ended by itself
                process.kill()
        number, left = self._first
        what = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
        sentence = f"frontrunner: {what}; {left}\n" if left else f"frontrunner: {what}\n"
        with suppress(OSError):  # nobody reads it any more
            os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + sentence.encode())
        os._exit(128 + number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """The handler, which Python calls in the main thread between two of its steps."""
        if self._raised:
            return
        self._raised = True
        self._arrive(number)
        if len(self._left) == 1:
            self.end()
        raise Stopped

    def _arrive(self, number: int) -> None:
        self._first = self._first or (number, self._left[-1])
        for descriptor in self._terminals:
            if not os.isatty(descriptor):  # it was closed, and what the clean-up prints would raise
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)

    def _watch(self, reader: int) -> None:
        """End the process at the second signal or when the time is up: the main thread may be in a long call.

        Python writes the number of each signal into the pipe as it arrives, also while the handler has to wait.
        """
        number = _read_signal(reader, None)
        assert number is not None
        arrived = time.monotonic()
        self._arrive(number)
        self._started = _descendants()
        _read_signal(reader, DEADLINE_S, ignore_until=arrived + SAME_S)
        self.end()


def _read_signal(reader: int, timeout_s: float | None, ignore_until: float = 0.0) -> int | None:
    """The next of `SIGNALS` in the pipe after the time ``ignore_until``, or None where the time is up."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], left_s)[0]:
            return None
        number = os.read(reader, 1)[0]
        if number in SIGNALS and time.monotonic() >= ignore_until:
            return number


def _descendants() -> list[Any]:
    """Every process that this one started, directly or not, as far as that can be told."""
    try:
        import psutil

        return list(psutil.Process().children(recursive=True))
    except Exception:  # no reason not to end
        return []


def _leave_signals_alone() -> None:
    """In a child that was forked: a signal to it is none to its parent."""
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if signal.getsignal(number) == stop_signals._handle:
            signal.signal(number, signal.SIG_DFL)


stop_signals = StopSignals()
