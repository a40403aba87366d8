"""The stopwatch: candidates and baseline are timed in one process, in blocks, and compared by ratios.

``runners/measuring/README.md`` is the page on design, estimator, interval, assumptions and known failures.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runners.machine.accelerator import accelerated
from runners.measuring.blocks import Blocks
from runners.measuring.calls import Call, Floats, Now, warm_up
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
    called = call_interleaved([baseline, *candidates], settings, now, others)
    return [_timing(called, arm, settings.seed) for arm in range(1, 1 + len(candidates))]


@dataclass(frozen=True)
class Interleaved:
    """Calls of several arms in the same blocks.

    Attributes:
        blocks: Their times.
        warm_ups_s: Seconds of the warm-up of each arm.
        machine: What `device_state` showed right after the last block.
        taken: What others took of the cores meanwhile.
        doubt: Why the machine was not as it should be, whatever the blocks say, or an empty string.
    """

    blocks: Blocks
    warm_ups_s: list[float]
    machine: Mapping[str, Any]
    taken: Taken
    doubt: str

    def that_count(self, *arms: int) -> tuple[list[list[Floats]], str]:
        """The calls of ``arms`` in the blocks that count, and why all of them had to be used, or an empty string."""
        calls = self.blocks.undisturbed(*arms)
        if not are_too_few(len(calls[0]), self.blocks):
            return calls, ""
        return [self.blocks.times[arm] for arm in arms], _why_disturbed(self.blocks, self.taken)


def call_interleaved(
    arms: Sequence[Call], settings: TimingSettings, now: Now = time.perf_counter, others: Others = OTHERS_HERE
) -> Interleaved:
    """Call all ``arms`` in the same blocks; the first one is what the others are compared with.

    The arguments are those of `time_interleaved`.
    """
    warm_ups_s = [warm_up(arm, settings.budget_s / 8, now) for arm in arms]
    blocks, use = Blocks(arms, settings.seed, now, others), others.core_use(others.cores())
    _add_blocks(blocks, settings.budget_s * (len(arms) - 1), settings.least_calls)
    machine, taken = device_state(), use.taken()
    doubts = [slowed(machine) if accelerated() else "", _stolen(taken) if len(others.cores()) > 1 else ""]
    return Interleaved(blocks, warm_ups_s, machine, taken, joined(doubts))


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


def _timing(called: Interleaved, arm: int, seed: int) -> PairedTiming:
    """The timing of one arm against the first, from the blocks that count."""
    blocks = called.blocks
    disturbed = 1 - len(blocks.undisturbed(arm, 0)[0]) / blocks.count
    (candidate, baseline), doubt = called.that_count(arm, 0)
    conditions = Conditions(
        warm_up_s=called.warm_ups_s[arm],
        doubt=joined([doubt, called.doubt]),
        machine={**called.machine, "disturbed": round(disturbed, 3)},
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
