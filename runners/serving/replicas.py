"""Serving replicas: processes with the artifact open, side by side, all busy at once."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np

from runners.inputs import Arrays
from runners.measuring.opening import Artifact
from runners.processes.fresh_process import HANG_TIMEOUT_S
from runners.runner import StageFailed
from runners.serving.energy import Counter, running_counters

TIMEOUT_S = HANG_TIMEOUT_S
"""How long loading, the first answer and the serving may take in all."""
ASK_EVERY_S = 0.2
"""Seconds between two looks whether a replica that does not answer still runs."""
LEAVING_S = 2.0
"""A replica whose pipe has closed has its exit code within this time."""
LAST_BYTES = 4096
"""Bytes at the end of what a replica printed, in which the reason of its end is looked for."""


@dataclass(frozen=True)
class Serving:
    """What serving showed; all is None where nothing was served.

    Attributes:
        throughput_per_s: Inputs a second over all replicas while all were busy.
        load_ms: Slowest replica: import of its runtime, reading the artifact, the first answer.
        peak_memory_mib: Largest peak of resident memory of one replica.
        energy_mj: Millijoules of the machine's processors for one input while all replicas were busy, idle cores and
            other programs included; None where the machine has no counter that can be read.
        served_with: The ``replicas`` and ``threads`` of throughput and energy, where they are the best of several; None
            where they are those of the configuration.
    """

    throughput_per_s: float | None = None
    load_ms: float | None = None
    peak_memory_mib: float | None = None
    energy_mj: float | None = None
    served_with: Mapping[str, int] | None = None


def serve(
    artifact: Artifact,
    workload: Any,
    replicas: int,
    inputs: Sequence[Arrays],
    seconds: float,
    keywords: Sequence[str] = (),
) -> Serving:
    """Start ``replicas`` processes, let them all load, then let them all run for ``seconds`` at once.

    Each is a new program that imports this one runtime and nothing of the search, so that its memory and its
    start are those of serving.

    Args:
        artifact: What is served.
        workload: Its reference, for an artifact that holds weights alone.
        replicas: Their number.
        inputs: The inputs of one call, ``(batch, *input_shape)`` each; of several, one is called after the other.
        seconds: How long to serve.
        keywords: The argument names by which the workload's network is called, where its inputs have names.

    Raises:
        StageFailed: A replica crashed or hung.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/inputs.npz", *(array for each in inputs for array in each))
        order = {
            **vars(artifact),
            "folder": str(artifact.folder),
            "workload": workload,
            "keywords": list(keywords),
            "inputs": f"{folder}/inputs.npz",
            "calls": len(inputs),
            "seconds": seconds,
        }
        orders = [{**order, "replica": replica} for replica in range(replicas)]
        deadline, batch = time.monotonic() + TIMEOUT_S, len(inputs[0][0])
        with _started(orders, Path(folder)) as programs:
            loads = [program.answer(deadline) for program in programs]
            counters = running_counters()
            for program in programs:
                program.tell({"go": True})
            runs = [program.answer(deadline) for program in programs]
            energy_mj = _energy_mj(counters, sum(run["calls"] * batch for run in runs))
    return Serving(
        throughput_per_s=sum(run["calls"] * batch / run["seconds"] for run in runs),
        load_ms=max(load["load_ms"] for load in loads),
        peak_memory_mib=max(run["peak_memory_mib"] for run in runs),
        energy_mj=energy_mj,
    )


def _energy_mj(counters: Sequence[Counter], served: int) -> float | None:
    """Millijoules for one input since the ``counters`` began, or None without a count that went up."""
    try:
        joules = sum(counter.joules() for counter in counters)
    except (OSError, ValueError):
        return None
    return joules * 1e3 / served if joules > 0 else None


@contextmanager
def _started(orders: list[dict[str, Any]], folder: Path) -> Iterator[list["_Replica"]]:
    """Programs that have been given their orders; all are gone afterwards, whatever happened."""
    started: list[_Replica] = []
    with ExitStack() as ends:
        for number in range(len(orders)):
            started.append(_Replica(folder / f"replica-{number}.log"))
            ends.callback(started[-1].end)
        for replica, order in zip(started, orders, strict=True):
            replica.tell(order)
        yield started


class _Replica:
    """One serving program.

    What it prints goes to the file ``log``: a pipe that nobody reads fills up and stops whoever prints.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        # -P: the current folder is the caller's, and what lies there must not take the place of our modules.
        program = f"import sys; sys.path.append({_project()!r}); import runners.serving.replica_process"
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


def _project() -> str:
    return str(Path(__file__).resolve().parents[2])
