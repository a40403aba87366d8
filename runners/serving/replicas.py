"""Serving replicas: processes with the artifact open, side by side, all busy at once."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runners.inputs import Arrays
from runners.measuring.opening import Artifact
from runners.serving.energy import Counter, running_counters
from runners.serving.program import deadline, started

PROGRAM = "runners.serving.replica_process"


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
        end, batch = deadline(), len(inputs[0][0])
        with started(PROGRAM, orders, Path(folder)) as programs:
            loads = [program.answer(end) for program in programs]
            counters = running_counters()
            for program in programs:
                program.tell({"go": True})
            runs = [program.answer(end) for program in programs]
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
