"""A program of its own for each replica, which takes orders and gives answers as lines of JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from runners.processes.fresh_process import HANG_TIMEOUT_S
from runners.runner import StageFailed

TIMEOUT_S = HANG_TIMEOUT_S
"""How long a replica may take for all that it is asked."""
ASK_EVERY_S = 0.2
"""Seconds between two looks whether a replica that does not answer still runs."""
LEAVING_S = 2.0
"""A replica whose pipe has closed has its exit code within this time."""
LAST_BYTES = 4096
"""Bytes at the end of what a replica printed, in which the reason of its end is looked for."""


class Program:
    """A replica's own process.

    What it prints goes to a file: a pipe that nobody reads fills up and stops whoever prints.

    Args:
        module: What it runs, such as ``runners.serving.replica_process``; it reads and writes messages, a line of JSON
            each.
        log: The file of what it prints.
    """

    def __init__(self, module: str, log: Path) -> None:
        self._log = log
        # -P: the current folder is the caller's, and what lies there must not take the place of our modules.
        program = f"import sys; sys.path.append({_project()!r}); import {module}"
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def tell(self, message: dict[str, Any]) -> None:
        """Send it one message."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended_early() from None

    def answer(self, deadline: float) -> dict[str, Any]:
        """Its next message; `StageFailed` where it ended, or gives none until `time.monotonic` is at ``deadline``."""
        assert self._process.stdout is not None
        gone = False
        while not wait([self._process.stdout.fileno()], ASK_EVERY_S):
            if gone:
                raise self._ended_early()
            gone = self._is_gone()  # and once more looked for an answer: it may have given one just before
            if time.monotonic() > deadline:
                raise StageFailed(f"a serving replica did not end within {TIMEOUT_S:.0f} s and was ended")
        line = self._process.stdout.readline()
        if not line.startswith("{"):
            raise self._ended_early()
        message: dict[str, Any] = json.loads(line)
        return message

    def end(self) -> None:
        """End it with all that it started: it leads a group of its own. Harmless where it is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            with suppress(BrokenPipeError):  # of a message that it never read
                pipe.close()

    def _is_gone(self) -> bool:
        """Whether it ended, which its pipe does not tell while something that it forked holds that open.

        It stays a zombie, so that its group can still be ended by its number.
        """
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _ended_early(self) -> StageFailed:
        deadline = time.monotonic() + LEAVING_S
        while not (gone := self._is_gone()) and time.monotonic() < deadline:
            time.sleep(0.01)  # its pipe closes a little before it has an exit code
        self.end()
        killed = gone and self._process.returncode < 0
        return StageFailed(f"a serving replica ended early: {self._last_words()}", "process" if killed else "candidate")

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - LAST_BYTES))
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self._process.returncode}"


def deadline() -> float:
    """When what begins now has to have ended, on the clock of `time.monotonic`."""
    return time.monotonic() + TIMEOUT_S


@contextmanager
def started(module: str, orders: Sequence[dict[str, Any]], folder: Path) -> Iterator[list[Program]]:
    """A `Program` for each of ``orders``, which is its first message; all are gone afterwards, whatever happened.

    Args:
        module: What each runs.
        orders: Their first messages.
        folder: Where their logs go.
    """
    programs: list[Program] = []
    with ExitStack() as ends:
        for number in range(len(orders)):
            programs.append(Program(module, folder / f"replica-{number}.log"))
            ends.callback(programs[-1].end)
        for program, order in zip(programs, orders, strict=True):
            program.tell(order)
        yield programs


def _project() -> str:
    return str(Path(__file__).resolve().parents[2])
