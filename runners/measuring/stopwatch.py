"""The stopwatch: candidates and baseline are timed in one process, in blocks, and compared by ratios.

``runners/measuring/README.md`` is the page on design, estimator, interval, assumptions and known failures.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runners.machine.accelerator import accelerated
from runners.measuring.blocks import Blocks
from runners.measuring.calls import Call, Now, warm_up
from runners.measuring.device_state import device_state, slowed
from runners.measuring.disturbance import Others, Taken
from runners.measuring.paired_timing import Conditions, PairedTiming, joined, summarise
from runners.runner import StageFailed

MIN_BLOCKS = 12
"""Undisturbed blocks that a timing waits for, within `MAX_BUDGETS`."""
MAX_BUDGETS = 5.0
"""A timing takes at most this multiple of its budget, but for three blocks, which it always has."""
BUSY = 0.05
"""A machine is busy where others take more than this share of its cores, or of the blocks."""
OTHERS_HERE = Others()


@dataclass(frozen=True)
class TimingSettings:
    """How long to time.

    Attributes:
        budget_s: Seconds of timing for each candidate.
        seed: Of the orders within blocks and of the bootstrap.
        least_calls: Least number of timed calls of each candidate, however long they take: a high percentile needs
            many.
    """

    budget_s: float
    seed: int
    least_calls: int = 0


def time_pair(
    candidate: Call,
    baseline: Call,
    settings: TimingSettings,
    now: Now = time.perf_counter,
    others: Others = OTHERS_HERE,
) -> PairedTiming:
    """Time one candidate against the baseline; the arguments are those of `time_interleaved`."""
    return time_interleaved(baseline, [candidate], settings, now, others)[0]


def time_interleaved(
    baseline: Call,
    candidates: Sequence[Call],
    settings: TimingSettings,
    now: Now = time.perf_counter,
    others: Others = OTHERS_HERE,
) -> list[PairedTiming]:
    """Time every candidate against the baseline, all in the same blocks.

    Args:
        baseline: What all are compared with.
        candidates: What to time, one at least.
        settings: How long.
        now: The clock, in rising seconds.
        others: What others do to the cores.

    Returns:
        One timing for each candidate, in their order.

    Raises:
        StageFailed: By the clock a call takes no time.
    """
    arms = [baseline, *candidates]
    warm_ups_s = [warm_up(arm, settings.budget_s / 8, now) for arm in arms]
    blocks, use = Blocks(arms, settings.seed, now, others), others.core_use(others.cores())
    _add_blocks(blocks, settings.budget_s * len(candidates), settings.least_calls)
    machine, taken = device_state(), use.taken()
    doubts = [slowed(machine) if accelerated() else "", _stolen(taken) if len(others.cores()) > 1 else ""]
    return [
        _timing(blocks, arm, settings.seed, taken, Conditions(warm_ups_s[arm], joined(doubts), machine))
        for arm in range(1, len(arms))
    ]


def _add_blocks(blocks: Blocks, budget_s: float, least_calls: int) -> None:
    """Add blocks until the budget is spent, and on until enough of them are undisturbed, within limits."""
    needed = max(3, math.ceil(least_calls / blocks.fewest_calls))
    while (
        blocks.count < needed
        or blocks.spent_s < budget_s
        or (blocks.spent_s < MAX_BUDGETS * budget_s and _fewest_undisturbed(blocks) < MIN_BLOCKS)
    ):
        blocks.add()
        if min(float(arm[-1].min()) for arm in blocks.times) <= 0:
            raise StageFailed("by this machine's clock a call takes no time, so it cannot be timed")


def _fewest_undisturbed(blocks: Blocks) -> int:
    return min(len(blocks.undisturbed(arm, 0)[0]) for arm in range(1, len(blocks.times)))


def _timing(blocks: Blocks, arm: int, seed: int, taken: Taken, conditions: Conditions) -> PairedTiming:
    """The timing of one arm against the first, from the blocks that count."""
    candidate, baseline = blocks.undisturbed(arm, 0)
    disturbed, doubt = 1 - len(candidate) / blocks.count, ""
    if are_too_few(len(candidate), blocks):
        candidate, baseline, doubt = blocks.times[arm], blocks.times[0], _why_disturbed(blocks, taken)
    conditions = Conditions(
        warm_up_s=conditions.warm_up_s,
        doubt=joined([doubt, conditions.doubt]),
        machine={**conditions.machine, "disturbed": round(disturbed, 3)},
    )
    return summarise(candidate, baseline, seed, conditions, every_call=np.concatenate(blocks.times[arm]))


def are_too_few(undisturbed: int, blocks: Blocks) -> bool:
    """Whether all ``blocks`` are used, as so few are ``undisturbed``: fewer than `MIN_BLOCKS`, and than half of all."""
    return undisturbed < min(MIN_BLOCKS, blocks.count / 2)


def _why_disturbed(blocks: Blocks, taken: Taken) -> str:
    """Who disturbed most blocks; empty where it was nobody else: the threads of an arm may wait for each other."""
    shared = sum(blocks.shared) / blocks.count
    return joined(
        [
            f"two cores were one physical core in {shared:.0%} of the blocks" if shared > BUSY else "",
            f"the machine was busy: others used {taken.by_programs:.0%} of the cores"
            if taken.by_programs > BUSY
            else "",
        ]
    )


def _stolen(taken: Taken) -> str:
    """Words where the host took cores away, which no count of waiting shows, from threads that wait for each other."""
    return f"the host took {taken.by_host:.0%} of the cores for others" if taken.by_host > BUSY else ""
