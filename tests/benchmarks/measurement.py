"""How far the stopwatch can be trusted, measured on real networks: false differences, precision, coverage, spread.

    python tests/benchmarks/measurement.py            40 minutes or so, a table
    python tests/benchmarks/measurement.py --json     one JSON document on stdout
    python tests/benchmarks/measurement.py --quick    a minute, to see that it runs; its numbers mean little

Run it on a machine with two cores or more and nothing else to do.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from timed_networks import (
    RUNTIME,
    WIDTH,
    BackgroundLoad,
    background_load,
    best_of_50,
    mean_of_20,
    pin_to_one_core,
    speedup_by,
    student,
    teacher,
    torch_benchmark,
)

from runners.artifacts.verification import VERIFY_PACE
from runners.machine.lease import device_lease
from runners.measuring.calls import Call
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import PRECISION, TimingSettings, time_pair
from runners.stages.chain import SEARCHING_S

Timings = list[PairedTiming]


@dataclass(frozen=True)
class Counts:
    """How much to run.

    Attributes:
        budget_s: Seconds of each timing, as in a search.
        aa_runs: Timings of the baseline against itself.
        trace_s: Seconds of the timings whose half-widths are shown.
        busy_runs: Timings beside a busy process on another core, and as many beside an idle one.
        runs_in_a_row: How many of them until the process changes.
        repeated_s: Seconds of timing of each of the repeated ones, as `frontrunner verify` takes them.
        rest_s: Seconds of rest after each of them, as there.
        spread_repeats: How often each protocol is repeated.
    """

    budget_s: float = SEARCHING_S
    aa_runs: int = 200
    trace_s: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
    busy_runs: int = 100
    runs_in_a_row: int = 5
    repeated_s: float = VERIFY_PACE.budget_s
    rest_s: float = VERIFY_PACE.rest_s
    spread_repeats: int = 24


QUICK = Counts(repeated_s=2.0, rest_s=0.5, aa_runs=12, trace_s=(1.0, 2.0, 5.0), busy_runs=10, spread_repeats=8)


def false_rate(counts: Counts) -> float:
    """Share of A/A runs, each of two newly built teachers, whose interval leaves 1 out."""
    intervals = [
        time_pair(teacher(), teacher(), TimingSettings(counts.budget_s, seed)).speedup_ci95
        for seed in range(counts.aa_runs)
    ]
    return float(np.mean([not low <= 1 <= high for low, high in intervals]))


def trace(candidate: Call, baseline: Call, seconds: Sequence[float]) -> dict[float, float]:
    """Half-width as a share of the speedup by seconds spent, each run anew and to its end."""
    timings = {s: time_pair(candidate, baseline, TimingSettings(s, 0, precision=None)) for s in seconds}
    return {s: half_width(timing) for s, timing in timings.items()}


def half_width(timing: PairedTiming) -> float:
    """Half of the interval's width as a share of the speedup."""
    low, high = timing.speedup_ci95
    return (high - low) / 2 / timing.speedup


def idle_and_busy(candidate: Call, baseline: Call, load: BackgroundLoad, counts: Counts) -> tuple[Timings, Timings]:
    """As many runs beside an idle process as beside a busy one: a few of each by turns, in random order."""
    random = np.random.default_rng(0)
    timings: tuple[Timings, Timings] = ([], [])
    for first in range(0, counts.busy_runs, counts.runs_in_a_row):
        for busy in random.permutation(2).tolist():
            load.set(busy=bool(busy))
            for seed in range(first, min(first + counts.runs_in_a_row, counts.busy_runs)):
                timings[busy].append(time_pair(candidate, baseline, TimingSettings(counts.budget_s, seed)))
    load.set(busy=False)
    return timings


def coverage(timings: Timings, value: float) -> float:
    """Share of the intervals that hold ``value``."""
    return float(np.mean([timing.speedup_ci95[0] <= value <= timing.speedup_ci95[1] for timing in timings]))


def repeated(candidate: Call, baseline: Call, load: BackgroundLoad, counts: Counts) -> dict[str, np.ndarray[Any, Any]]:
    """Each protocol's speedups, one of each in random order per repeat; the other process is busy in every second."""
    random = np.random.default_rng(1)
    thorough = TimingSettings(counts.repeated_s, seed=0, rest_s=counts.rest_s)
    protocols: dict[str, Callable[[Call, Call], float]] = {
        "ours": lambda a, b: time_pair(a, b, thorough).speedup,
        "ours_in_search": lambda a, b: time_pair(a, b, TimingSettings(counts.budget_s, seed=0)).speedup,
        "mean_of_20": speedup_by(mean_of_20),
        "torch_benchmark": speedup_by(torch_benchmark),
        "best_of_50": speedup_by(best_of_50),
    }
    results: dict[str, list[float]] = {name: [] for name in protocols}
    for repeat in range(counts.spread_repeats):
        load.set(busy=repeat % 2 == 1)
        for name in random.permutation(list(protocols)).tolist():
            results[name].append(protocols[name](candidate, baseline))
    load.set(busy=False)
    return {name: np.array(values) for name, values in results.items()}


def spread(values: np.ndarray[Any, Any]) -> float:
    """From the 10th to the 90th percentile, as a share of the median."""
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return float((high - low) / middle)


def measure(counts: Counts, say: Callable[[str], None]) -> dict[str, Any]:
    """Run all four; ``say`` is told each table as it is ready."""
    begin = time.perf_counter()
    core = pin_to_one_core()
    baseline, candidate = teacher(), student()
    aa = false_rate(counts)
    say(f"A/A: {aa:.1%} of {counts.aa_runs} runs call a network different from itself")
    widths = trace(candidate, baseline, counts.trace_s)
    say("half-width by seconds: " + ", ".join(f"{s:g} s {width:.2%}" for s, width in widths.items()))
    alone = time_pair(candidate, baseline, TimingSettings(max(counts.trace_s), 1, precision=None))
    with background_load(core) as load:
        idle, busy = idle_and_busy(candidate, baseline, load, counts)
        reference = float(np.median([timing.speedup for timing in idle]))
        covered = coverage(busy, reference)
        bias = reference / alone.speedup - 1
        say(f"speedup beside an idle process: {reference:.3f}, the median of {len(idle)} runs")
        say(f"which is {bias:+.2%} from that of one long run alone")
        say(f"held by {_held(idle, reference)} of those intervals")
        say(f"and by {_held(busy, reference)} of those beside a busy process")
        results = repeated(candidate, baseline, load, counts)
    say(_table(results))
    spreads = {name: spread(values) for name, values in results.items()}
    return {
        "aa_false_rate": aa,
        "halfwidth_60s": widths[max(widths)],
        "coverage_busy": covered,
        "spread_ratio": spreads["mean_of_20"] / spreads["ours"],
        "settings": {
            **asdict(counts),
            "precision": PRECISION,
            "student_width": WIDTH,
            "runtime": RUNTIME,
            "halfwidths": widths,
            "idle_speedup": reference,
            "idle_spread": spread(np.array([timing.speedup for timing in idle])),
            "coverage_idle": coverage(idle, reference),
            "without_study": [alone.speedup, *alone.speedup_ci95],
            "median_halfwidth_busy": float(np.median([half_width(timing) for timing in busy])),
            "busy_shift": float(np.median([timing.speedup for timing in busy])) / reference - 1,
            "spreads": spreads,
            "seconds": time.perf_counter() - begin,
        },
    }


def _held(timings: Timings, value: float) -> str:
    width = float(np.median([half_width(timing) for timing in timings]))
    return f"{coverage(timings, value):.1%} (+/-{width:.1%} at the median)"


def _table(results: dict[str, np.ndarray[Any, Any]]) -> str:
    rows = [f"{'protocol':16} {'median':>8} {'p10-p90':>9} {'min-max':>9}"]
    for name, values in results.items():
        rest = values.max() / values.min() - 1
        rows.append(f"{name:16} {np.median(values):8.3f} {spread(values):9.2%} {rest:9.2%}")
    return "\n".join(rows)


def main() -> None:
    """Print the table, or with ``--json`` the document on stdout and the table on stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="small counts, to see that it runs")
    options = parser.parse_args()
    table = sys.stderr if options.json else sys.stdout
    with device_lease(exclusive=True):
        figures = measure(QUICK if options.quick else Counts(), lambda text: print(text, file=table, flush=True))
    shown = json.dumps(figures, indent=2) if options.json else f"spread_ratio: {figures['spread_ratio']:.1f}"
    print(shown)


if __name__ == "__main__":
    main()
