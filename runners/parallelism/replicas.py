"""Serving replicas: processes with the artifact open, side by side, all busy at once."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.measuring.energy import EnergyMeter
from runners.processes import SILENT_S
from runners.runner import StageFailed
from spaces.plans import ServingPlan

TIMEOUT_S = SILENT_S
"""How long loading, the first answer and the serving may take in all."""


@dataclass(frozen=True)
class Serving:
    """What serving showed.

    Attributes:
        throughput_per_s: Inputs a second over all replicas while all were busy.
        load_ms: Slowest replica: from its runtime imported to its first answer.
        peak_memory_mib: Largest peak of resident memory of one replica.
        energy_mj: Millijoules of the machine's processors for one input while all replicas were busy, idle cores and
            other programs included; None where the machine has no counter that can be read.
    """

    throughput_per_s: float
    load_ms: float
    peak_memory_mib: float
    energy_mj: float | None = None


def serve(
    *, artifact: Path, runtime: str, workload: Any, plan: ServingPlan, inputs: NDArray[Any], seconds: float
) -> Serving:
    """Start ``plan.replicas`` processes, let them all load, then let them all run for ``seconds`` at once.

    Each is a new program that imports this one runtime and nothing of the search, so that its memory and its
    start are those of serving.

    Args:
        artifact: Folder of the artifact.
        runtime: Name of its backend.
        workload: Its reference, for an artifact that holds weights alone.
        plan: Number of replicas, and threads of each.
        inputs: One call's inputs, float32 ``(batch, *input_shape)``.
        seconds: How long to serve.

    Raises:
        StageFailed: A replica crashed or hung.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/inputs.npy", inputs)
        order = {"artifact": str(artifact), "runtime": runtime, "workload": workload, "threads": plan.threads}
        orders = [
            {**order, "inputs": f"{folder}/inputs.npy", "seconds": seconds, "replica": replica}
            for replica in range(plan.replicas)
        ]
        with _replicas(orders) as replicas:
            loads = [_read(replica) for replica in replicas]
            meter = EnergyMeter.find()
            for replica in replicas:
                _write(replica, {"go": True})
            runs = [_read(replica) for replica in replicas]
            energy_mj = _energy_mj(meter, sum(run["calls"] * len(inputs) for run in runs))
    return Serving(
        throughput_per_s=sum(run["calls"] * len(inputs) / run["seconds"] for run in runs),
        load_ms=max(load["load_ms"] for load in loads),
        peak_memory_mib=max(run["peak_memory_mib"] for run in runs),
        energy_mj=energy_mj,
    )


def _energy_mj(meter: EnergyMeter | None, served: int) -> float | None:
    """Millijoules for one input since ``meter`` was found, or None without a count that moved on."""
    try:
        joules = meter.joules() if meter else 0.0
    except (OSError, ValueError):
        return None
    return joules * 1e3 / served if joules > 0 else None


@contextmanager
def _replicas(orders: list[dict[str, Any]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that have been given their orders; all are gone afterwards, whatever happened."""
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.append({_project()!r}); import runners.parallelism.replica_process",
    ]
    started = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in orders
    ]
    late = Event()

    def end_late() -> None:
        late.set()
        _kill(started)

    alarm = Timer(TIMEOUT_S, end_late)
    alarm.start()
    try:
        for process, order in zip(started, orders, strict=True):
            _write(process, order)
        yield started
    except StageFailed as error:
        if late.is_set():
            raise StageFailed(f"a serving replica did not end within {TIMEOUT_S:.0f} s and was ended") from error
        raise
    finally:
        alarm.cancel()
        _kill(started)
        for process in started:
            process.communicate()


def _kill(processes: list[subprocess.Popen[str]]) -> None:
    """End each process with all that it started: it leads a group of its own."""
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _project() -> str:
    return str(Path(__file__).resolve().parents[2])


def _write(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise StageFailed(f"a serving replica ended early: {_last_words(process)}") from None


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("{"):
        raise StageFailed(f"a serving replica ended early: {_last_words(process)}")
    message: dict[str, Any] = json.loads(line)
    return message


def _last_words(process: subprocess.Popen[str]) -> str:
    _kill([process])
    _, errors = process.communicate()
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {process.returncode}"
