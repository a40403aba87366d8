"""The timing of compiled artifacts beside TorchScript's, in a process of its own, which imports it from here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parts.family_workloads import workload

from runners.backends import find_backend
from runners.measuring.calls import Call
from runners.measuring.pair import prepare_process
from runners.measuring.stopwatch import TimingSettings, time_interleaved

BASELINE, COMPILERS = "torchscript", ("inductor", "aotinductor")


def compare(family: str, folders: Mapping[str, Path], threads: int, budget_s: float) -> dict[str, Any]:
    """The speedup of each compiler over TorchScript, with its interval and what is doubtful about it."""
    prepare_process(threads)
    made = workload(family)

    def opened(runtime: str) -> Call:
        predictor = find_backend(runtime).open(folders[runtime], threads=threads, batch=1, build=made.network)
        return lambda: predictor(*made.example_inputs.arrays)

    baseline, *compiled = map(opened, (BASELINE, *COMPILERS))
    timings = time_interleaved(baseline, compiled, TimingSettings(budget_s, 0))
    shown = ("speedup", "speedup_ci95", "blocks", "baseline_p50_ms", "unstable")
    return {
        name: {field: timing.to_json()[field] for field in shown}
        for name, timing in zip(COMPILERS, timings, strict=True)
    }
