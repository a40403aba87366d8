"""How far the stopwatch can be trusted, measured on real networks: false differences, known ratios, precision, spread.

    python tests/benchmarks/measurement.py            30 minutes or so, a table
    python tests/benchmarks/measurement.py --json     one JSON document on stdout
    python tests/benchmarks/measurement.py --quick    at most 5 minutes, all figures from fewer runs

Run it on a machine with two cores or more and nothing else to do.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from parts.known_ratios import Pair, on_one_thread, on_two_threads
from parts.timed_networks import (
    RUNTIME,
    WIDTH,
    BackgroundLoad,
    background_load,
    best_of_50,
    eager_teacher,
    lowered_teacher,
    mean_of_20,
    mean_of_the_same_time,
    speedup_by,
    student,
    torch_benchmark,
    two_cores,
)

from runners.artifacts.verification import VERIFY_S
from runners.chains.chain import SEARCHING_S
from runners.machine.lease import device_lease
from runners.measuring.calls import Call
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings, time_pair

Say = Callable[[str], None]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """How much to run.

    Attributes:
        budget_s: Seconds of each timing, as in a search.
        aa_runs: Timings of the baseline against itself.
        trace_s: Seconds of the timings whose half-widths are shown.
        busy_runs: Timings beside a busy process on another core, and as many beside an idle one.
        known_runs: Timings of each pair of a known ratio, in each condition.
        repeated_s: Seconds of each of the repeated timings, as `frontrunner verify` takes them.
        spread_repeats: How often each protocol is repeated.
    """

    budget_s: float = SEARCHING_S
    aa_runs: int = 200
    trace_s: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
    busy_runs: int = 40
    known_runs: int = 10
    repeated_s: float = VERIFY_S
    spread_repeats: int = 16


QUICK = Counts(repeated_s=2.0, aa_runs=16, trace_s=(1.0, 5.0, 15.0), busy_runs=8, known_runs=2, spread_repeats=6)


def false_rate(counts: Counts) -> float:
    """Share of A/A runs, each of two newly built teachers, whose interval leaves 1 out."""
    pairs = (
        (eager_teacher(1), eager_teacher(1), TimingSettings(counts.budget_s, seed)) for seed in range(counts.aa_runs)
    )
    return float(np.mean([not holds(time_pair(*pair), 1.0) for pair in pairs]))


def half_widths(candidate: Call, baseline: Call, seconds: Sequence[float]) -> dict[float, float]:
    """Half-width as a share of the speedup by seconds spent, each run anew."""
    return {s: half_width(time_pair(candidate, baseline, TimingSettings(s, 0))) for s in seconds}


def half_width(timing: PairedTiming) -> float:
    """Half of the interval's width as a share of the speedup."""
    low, high = timing.speedup_ci95
    return (high - low) / 2 / timing.speedup


def holds(timing: PairedTiming, value: float) -> bool:
    """Whether the interval holds ``value``."""
    low, high = timing.speedup_ci95
    return low <= value <= high


def idle_and_busy(
    pairs: Sequence[Pair], load: BackgroundLoad, runs: int, budget_s: float
) -> dict[str, tuple[list[PairedTiming], list[PairedTiming]]]:
    """Of each pair as many timings beside an idle process as beside a busy one: five of each, in random order."""
    random = np.random.default_rng(0)
    timings: dict[str, tuple[list[PairedTiming], list[PairedTiming]]] = {pair.name: ([], []) for pair in pairs}
    for first in range(0, runs, 5):
        for busy in random.permutation(2).tolist():
            load.set(busy=bool(busy))
            for seed in range(first, min(first + 5, runs)):
                for pair in pairs:
                    settings = TimingSettings(budget_s, seed)
                    timings[pair.name][busy].append(time_pair(pair.candidate, pair.baseline, settings))
    load.set(busy=False)
    return timings


def known_ratios(pairs: Sequence[Pair], load: BackgroundLoad, counts: Counts, say: Say) -> Figures:
    """Bias and coverage of pairs whose ratio is known, and what is told of those that are missed."""
    rows: Figures = {}
    everything: list[tuple[PairedTiming, float]] = []
    for name, conditions in idle_and_busy(pairs, load, counts.known_runs, counts.budget_s).items():
        ratio = next(pair.ratio for pair in pairs if pair.name == name)
        for condition, timings in zip(("idle", "busy"), conditions, strict=True):
            trusted = [timing for timing in timings if not timing.unstable]
            row = _row(timings, trusted, ratio)
            rows[f"{name}, {condition}"] = row
            everything += [(timing, ratio) for timing in timings]
            say(f"  {name:38} {condition}: {_words(row)}")
    trusted_pairs = [(timing, ratio) for timing, ratio in everything if not timing.unstable]
    return {
        "bias": worst(row["bias"] for row in rows.values()),
        "coverage": _share(holds(*one) for one in trusted_pairs),
        "covered_or_flagged": _share(bool(timing.unstable) or holds(timing, ratio) for timing, ratio in everything),
        "runs": len(everything),
        "flagged_runs": len(everything) - len(trusted_pairs),
        "pairs": rows,
    }


def worst(biases: Iterable[float | None]) -> float | None:
    """The bias that is farthest from 0; None where nothing was told without a mark."""
    return max((bias for bias in biases if bias is not None), key=abs, default=None)


def _row(timings: Sequence[PairedTiming], trusted: Sequence[PairedTiming], ratio: float) -> Figures:
    return {
        "bias": float(np.median([timing.speedup for timing in trusted]) / ratio - 1) if trusted else None,
        "coverage": _share(holds(timing, ratio) for timing in trusted),
        "flagged": 1 - len(trusted) / len(timings),
        "half_width": float(np.median([half_width(timing) for timing in trusted])) if trusted else None,
    }


def _words(row: Figures) -> str:
    if row["bias"] is None:
        return "all flagged"
    known = f"bias {row['bias']:+.1%}, held by {row['coverage']:.0%}, +/-{row['half_width']:.1%}"
    return f"{known}, flagged {row['flagged']:.0%}"


def _share(flags: Iterable[bool]) -> float | None:
    """The share of what is true, or None of nothing."""
    counted = list(flags)
    return float(np.mean(counted)) if counted else None


def beside_a_neighbour(pair: Pair, load: BackgroundLoad, counts: Counts, say: Say) -> Figures:
    """Coverage of a ratio that is not known: the median of the runs beside an idle process stands for it.

    So what is said of those runs themselves is how well they agree.
    """
    idle, busy = idle_and_busy([pair], load, counts.busy_runs, counts.budget_s)[pair.name]
    reference = float(np.median([timing.speedup for timing in idle if not timing.unstable] or [math.nan]))
    missed = [timing for timing in busy if not timing.unstable and not holds(timing, reference)]
    figures = {
        "reference": reference,
        "idle": _row(idle, [timing for timing in idle if not timing.unstable], reference),
        "busy": _row(busy, [timing for timing in busy if not timing.unstable], reference),
        "missed": [[timing.speedup, *timing.speedup_ci95] for timing in missed],
    }
    say(f"  {pair.name}: {reference:.3f}x beside an idle process; {_words(figures['idle'])}")
    say(f"  beside a busy one: {_words(figures['busy'])}")
    return figures


def repeated(candidate: Call, baseline: Call, load: BackgroundLoad, counts: Counts) -> dict[str, np.ndarray[Any, Any]]:
    """Each protocol's speedups, one of each in random order per repeat; the other process is busy in every second."""
    random = np.random.default_rng(1)
    protocols: dict[str, Callable[[Call, Call], float]] = {
        "ours": lambda a, b: time_pair(a, b, TimingSettings(counts.repeated_s, 0)).speedup,
        "ours_in_search": lambda a, b: time_pair(a, b, TimingSettings(counts.budget_s, 0)).speedup,
        "mean_of_20": speedup_by(mean_of_20),
        "mean_of_1.2_s": speedup_by(mean_of_the_same_time),
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


def on_one_core(cores: Sequence[int], counts: Counts, say: Say) -> Figures:
    """All that is timed on one thread; the busy process has a core of its own."""
    os.sched_setaffinity(0, cores[:1])
    baseline, candidate = eager_teacher(1), student()
    aa = false_rate(counts)
    say(f"A/A: {aa:.1%} of {counts.aa_runs} runs call a network different from itself")
    widths = half_widths(candidate, baseline, counts.trace_s)
    say("half-width by seconds: " + ", ".join(f"{s:g} s {width:.2%}" for s, width in widths.items()))
    with background_load(cores[1]) as load:
        say("known ratios, one thread, beside a process that is busy all the time:")
        known = known_ratios(on_one_thread(), load, counts, say)
        say("the narrow student in its runtime against the teacher in eager mode:")
        busy = beside_a_neighbour(Pair("narrow student", candidate, baseline, 0), load, counts, say)
        results = repeated(candidate, baseline, load, counts)
    say(_table(results))
    spreads = {name: spread(values) for name, values in results.items()}
    return {"aa": aa, "half_widths": widths, "known": known, "busy": busy, "spreads": spreads}


def on_both_cores(cores: Sequence[int], counts: Counts, say: Say) -> Figures:
    """All that is timed on two threads; a process is busy on one of their cores for half of the time."""
    os.sched_setaffinity(0, cores)
    against_one = [
        Pair("eager on two threads against one", eager_teacher(2), eager_teacher(1), 0),
        Pair("onnxruntime on two threads against eager on one", lowered_teacher("onnxruntime", 2), eager_teacher(1), 0),
    ]
    with background_load(cores[1], half=True) as load:
        say("known ratios, two threads, beside a process that is busy on one of the cores for half of the time:")
        known = known_ratios(on_two_threads(), load, counts, say)
        say("two threads against one:")
        others = {pair.name: beside_a_neighbour(pair, load, counts, say) for pair in against_one}
    return {"known": known, "against_one": others}


def measure(counts: Counts, say: Say) -> Figures:
    """Run all; ``say`` is told each table as it is ready."""
    begin, cores = time.perf_counter(), two_cores()
    one, two = on_one_core(cores, counts, say), on_both_cores(cores, counts, say)
    known = (one["known"], two["known"])
    return {
        "aa_false_rate": one["aa"],
        "halfwidth_60s": one["half_widths"][max(one["half_widths"])],
        "coverage_busy": one["busy"]["busy"]["coverage"],
        "spread_ratio": one["spreads"]["mean_of_20"] / one["spreads"]["ours"],
        "known_ratio_bias": worst(part["bias"] for part in known),
        "known_ratio_coverage": min((part["coverage"] for part in known if part["coverage"] is not None), default=None),
        "two_threads_covered_or_flagged": two["known"]["covered_or_flagged"],
        "settings": {**asdict(counts), "student_width": WIDTH, "runtime": RUNTIME},
        "one_thread": one,
        "two_threads": two,
        "seconds": time.perf_counter() - begin,
    }


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
    parser.add_argument("--quick", action="store_true", help="fewer runs, within 5 minutes")
    options = parser.parse_args()
    table = sys.stderr if options.json else sys.stdout
    with device_lease(exclusive=True):
        figures = measure(QUICK if options.quick else Counts(), lambda text: print(text, file=table, flush=True))
    print(json.dumps(figures, indent=2) if options.json else f"spread_ratio: {figures['spread_ratio']:.1f}")


if __name__ == "__main__":
    main()
