"""What a function returns in a fresh process, which has torch imported already and is ended where it hangs.

A server process imports torch once, and every fresh process is forked from it (Python's ``forkserver``).
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

from runners.processes.fork_server import main_module_hidden, start_server
from runners.processes.process_body import VISIBLE_DEVICES, run_and_send
from runners.processes.progress import report_progress
from runners.runner import StageFailed

HANG_TIMEOUT_S = 300.0
"""How long a process may go without `report_progress` before it is taken to hang. Loading data, compiling a model and
making a few calls take less."""

DYING_S = 0.5
"""How long it takes at most until a process that was killed is seen to be gone."""


class FreshProcess:
    """A call in a fresh process, begun at once; the process leads a process group of its own.

    Args:
        function: What to call; it, its arguments and its result are pickled.
        *arguments: Its arguments.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        start_server()
        context = multiprocessing.get_context("forkserver")
        self._receiver, sender = context.Pipe(duplex=False)
        self.answered = False
        visible = {name: os.environ.get(name) for name in VISIBLE_DEVICES}
        self._process = context.Process(target=run_and_send, args=(sender, visible, function, arguments), daemon=False)
        with main_module_hidden():
            self._process.start()
        sender.close()

    def result(self, timeout_s: float, what: str) -> Any:
        """What the function returned.

        Raises:
            StageFailed: It raised, died, or neither ended nor reported progress for ``timeout_s``. Whatever it
                started is ended with it.
        """
        return all_results({what: self}, timeout_s)[0]

    @property
    def handles(self) -> tuple[Any, Any]:
        """What `multiprocessing.connection.wait` waits for: a message, and the end."""
        return self._receiver, self._process.sentinel

    def receive(self, what: str) -> tuple[Any] | None:
        """What the function returned, in a tuple; None where the process reported progress.

        Raises:
            StageFailed: It raised, or the process is gone, whoever holds its pipe.
        """
        try:
            message = self._receiver.recv() if self._receiver.poll() else None
            if message is None and not self._process.is_alive() and not self._receiver.poll():
                raise EOFError
        except EOFError:
            self._process.join(5)
            raise StageFailed(f"{what} {_ending(self._process.exitcode)}", "process") from None
        if message is None:
            return None
        self.answered = True
        failure_kind, value = message
        if failure_kind is not None:
            raise StageFailed(f"{what}: {value}", failure_kind)
        return (value,)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process is gone, or will be in that time."""
        self._process.join(seconds)
        return not self._process.is_alive()

    def end(self) -> None:
        """End the process and all that it started; nothing to do where they are gone."""
        assert self._process.pid is not None, "it was started, and 0 would be the caller's own group"
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def all_results(processes: Mapping[str, FreshProcess], timeout_s: float) -> list[Any]:
    """What the functions of ``processes`` returned; all are read at once, since a pipe that nobody reads fills up.

    Their progress is that of the caller, where it is itself a fresh process.

    Args:
        processes: The processes by what a message calls them.
        timeout_s: How long all that still run may do nothing.

    Raises:
        StageFailed: One raised or died, or they did nothing for ``timeout_s``; all are ended then. Where one died and
            another raised because it waited for its message, the first is told of.
    """
    waiting, found = dict(processes), {}
    try:
        while waiting:
            ready = wait([handle for process in waiting.values() for handle in process.handles], timeout_s)
            if not ready:
                were = "was" if len(waiting) == 1 else "were"
                raise StageFailed(f"{' and '.join(waiting)} did nothing for {timeout_s:.0f} s and {were} ended")
            report_progress()
            for what, process in [*waiting.items()]:
                if not set(ready).isdisjoint(process.handles) and (result := process.receive(what)):
                    found[what] = result[0]
                    del waiting[what]
    except StageFailed as error:
        raise _died(waiting) or error from None
    finally:
        for process in processes.values():
            process.end()
    return [found[what] for what in processes]


def _died(processes: Mapping[str, FreshProcess]) -> StageFailed | None:
    """The failure of the first of ``processes`` that is gone without an answer, for which others may have failed."""
    for what, process in processes.items():
        if not process.answered and process.ends_within(DYING_S):
            try:
                process.receive(what)
            except StageFailed as error:
                if error.kind == "process":
                    return error
    return None


def call_fresh(function: Callable[..., Any], *arguments: Any, what: str, timeout_s: float = HANG_TIMEOUT_S) -> Any:
    """What ``function(*arguments)`` returns in a fresh process.

    Raises:
        StageFailed: It raised, died, or did nothing for ``timeout_s``; the message begins with ``what``.
    """
    return FreshProcess(function, *arguments).result(timeout_s, what)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended early with exit code {code}"
