"""What each part of the stopwatch buys: the same recorded calls, summarised with that part and without it.

    python tests/benchmarks/measurement_ablation.py            10 minutes or so, a table
    python tests/benchmarks/measurement_ablation.py --json     one JSON document on stdout

Run it on a machine with two cores or more and nothing else to do.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from parts.known_ratios import Pair, on_one_thread, on_two_threads
from parts.timed_networks import BackgroundLoad, background_load, eager_teacher, student, two_cores

from runners.chains.chain import SEARCHING_S
from runners.machine.lease import device_lease
from runners.measuring import interval, stopwatch
from runners.measuring.blocks import Blocks
from runners.measuring.calls import Floats, warm_up
from runners.measuring.interval import Ratio, ratio

Arms = tuple[list[Floats], list[Floats]]
Part = tuple[Callable[[Blocks], Arms], dict[str, Any]]
"""Which calls count, and what the constants of the interval are."""


def undisturbed(blocks: Blocks) -> Arms:
    """As the stopwatch does: undisturbed blocks, or all where these are too few."""
    candidate, baseline = blocks.undisturbed(1, 0)
    if stopwatch.are_too_few(len(candidate), blocks):
        return blocks.times[1], blocks.times[0]
    return candidate, baseline


def every_call(blocks: Blocks) -> Arms:
    """All calls, whoever had the cores."""
    return blocks.times[1], blocks.times[0]


def although_waiting(blocks: Blocks) -> Arms:
    """All calls of blocks in which two cores were two, or all where there are none."""
    kept = [index for index, shared in enumerate(blocks.shared) if not shared] or range(blocks.count)
    return [blocks.times[1][index] for index in kept], [blocks.times[0][index] for index in kept]


PARTS: dict[str, Part] = {
    "as built": (undisturbed, {}),
    "turns that waited count too": (although_waiting, {}),
    "every call counts": (every_call, {}),
    "no floor": (undisturbed, {"FLOOR": 0.0}),
    "one quantile": (undisturbed, {"LEVELS": (0.01,)}),
    "sampling error alone": (undisturbed, {"FLOOR": 0.0, "LEVELS": (0.01,)}),
    "minimum": (undisturbed, {"LEVELS": (0.0, 0.25, 0.5)}),
    "median": (undisturbed, {"LEVELS": (0.5, 0.01, 0.25)}),
}


@contextmanager
def constants(values: dict[str, Any]) -> Iterator[None]:
    """The interval with other constants."""
    before = {name: getattr(interval, name) for name in values}
    try:
        for name, value in values.items():
            setattr(interval, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(interval, name, value)


def record(pair: Pair, seed: int) -> tuple[dict[str, Ratio], bool]:
    """The ratio by each part from one run of a search's length, and whether all of its blocks had to be used."""
    for arm in (pair.baseline, pair.candidate):
        warm_up(arm, SEARCHING_S / 8)
    blocks = Blocks([pair.baseline, pair.candidate], seed, time.perf_counter, stopwatch.OTHERS_HERE)
    stopwatch._add_blocks(blocks, SEARCHING_S, 0)
    found = {}
    for name, (calls, values) in PARTS.items():
        with constants(values):
            found[name] = ratio(*calls(blocks), seed)
    return found, stopwatch.are_too_few(len(blocks.undisturbed(1, 0)[0]), blocks)


def compare(pairs: Sequence[Pair], load: BackgroundLoad, runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """For each pair and condition, by part: coverage, half-width and spread over the runs."""
    random = np.random.default_rng(0)
    recorded: dict[tuple[str, int], list[Any]] = {(pair.name, busy): [] for pair in pairs for busy in (0, 1)}
    for first in range(0, runs, 5):
        for busy in random.permutation(2).tolist():
            load.set(busy=bool(busy))
            for seed in range(first, min(first + 5, runs)):
                for pair in pairs:
                    recorded[pair.name, busy].append(record(pair, seed))
    load.set(busy=False)
    results: dict[str, Any] = {}
    for pair in pairs:
        idle = [found["as built"].value for found, disturbed in recorded[pair.name, 0] if not disturbed]
        truth = float(pair.ratio or np.median(idle or [np.nan]))
        for busy, condition in enumerate(("idle", "busy")):
            found = recorded[pair.name, busy]
            throughout = float(np.mean([disturbed for _, disturbed in found]))
            say(f"{pair.name}, {condition}: truth {truth:.3f}, {throughout:.0%} disturbed throughout")
            rows = {part: _figures([one[part] for one, _ in found], truth) for part in PARTS}
            results[f"{pair.name}, {condition}"] = rows
            for part, row in rows.items():
                known = f"held by {row['coverage']:4.0%}, +/-{row['half_width']:5.1%}"
                say(f"  {part:34} {known}, spread {row['spread']:5.1%}")
    return results


def _figures(found: Sequence[Ratio], truth: float) -> dict[str, float]:
    low, middle, high = np.quantile([one.value for one in found], [0.1, 0.5, 0.9])
    return {
        "coverage": float(np.mean([one.low <= truth <= one.high for one in found])),
        "half_width": float(np.median([one.half_width for one in found])),
        "spread": float((high - low) / middle),
        "bias": float(middle / truth - 1),
    }


def main() -> None:
    """Print the table, or with ``--json`` the document on stdout and the table on stderr."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--runs", type=int, default=25, help="runs of each pair in each condition")
    options = parser.parse_args()
    table, cores = sys.stderr if options.json else sys.stdout, two_cores()

    def say(text: str) -> None:
        print(text, file=table, flush=True)

    with device_lease(exclusive=True):
        os.sched_setaffinity(0, cores[:1])
        one = [Pair("narrow student in its runtime against the teacher", student(), eager_teacher(1), 0)]
        with background_load(cores[1]) as load:
            found = compare([*one, on_one_thread()[1]], load, options.runs, say)
        os.sched_setaffinity(0, cores)
        two = [Pair("eager on two threads against one", eager_teacher(2), eager_teacher(1), 0)]
        with background_load(cores[1], half=True) as load:
            found |= compare([*two, *on_two_threads()[:2]], load, options.runs, say)
    if options.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
