"""The stopwatch: candidates and baseline are timed in one process, in blocks, and compared by ratios.

Design: every block times all arms (`runners.measuring.blocks`), and a ratio is taken of times from the same blocks.
A shared machine changes its speed by the minute, so times taken at different times are never compared.

Estimator and interval: `runners.measuring.estimator` and `runners.measuring.interval`.

Stopping rule: blocks are added until all intervals are narrow enough or the budget is spent.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runners.machine.accelerator import accelerated
from runners.measuring.blocks import Blocks
from runners.measuring.calls import Call, Clock, WarmUp, warm_up
from runners.measuring.device_state import device_state, slowed
from runners.measuring.interval import ratio
from runners.measuring.paired_timing import BASELINE, CANDIDATE, Conditions, PairedTiming, summarise
from runners.runner import StageFailed

PRECISION = 0.01
"""Timing ends early once the half-widths of all intervals, as a share and without their floor, are below this."""
MIN_BLOCKS = 12
MIN_SLOW_BLOCKS = 3
"""The least number of blocks where `MIN_BLOCKS` would take longer than `MAX_OVERRUN` budgets."""
MAX_OVERRUN = 10.0
FIRST_CHECK_S = 0.3
CHECK_GROWTH = 1.5
"""From one check of the intervals to the next the time spent grows by this factor. Each check is a chance to stop at
an interval that is narrow by accident."""
REST_EVERY_S = 1.0
MAX_DISCARDED = 100
"""Blocks in which the clock stepped back, after which no more are tried."""
SYSTEM_CLOCK = Clock()


@dataclass(frozen=True)
class TimingSettings:
    """How long and how precisely to time.

    Attributes:
        budget_s: Seconds of timing for each candidate.
        seed: Of the orders within blocks and of the bootstrap.
        precision: Half-width, as a share of the speedup, at which an interval is narrow enough to end before the
            budget is spent; None spends it.
        least_calls: Least number of timed calls of each candidate, however long they take: a high percentile needs
            many.
        rest_s: Seconds of rest after every `REST_EVERY_S` of timing, so that the same calls see more of the machine's
            regimes. Of a trace of 240 s, the results of 12 s of timing in a row spread by 2.5 % (10th to 90th
            percentile), and by 1.2 % where they were a fifth of 60 s.
    """

    budget_s: float
    seed: int
    precision: float | None = PRECISION
    least_calls: int = 0
    rest_s: float = 0.0


def time_pair(candidate: Call, baseline: Call, settings: TimingSettings, clock: Clock = SYSTEM_CLOCK) -> PairedTiming:
    """Time one candidate against the baseline; the arguments are those of `time_interleaved`."""
    return time_interleaved(baseline, [candidate], settings, clock)[0]


def time_interleaved(
    baseline: Call, candidates: Sequence[Call], settings: TimingSettings, clock: Clock = SYSTEM_CLOCK
) -> list[PairedTiming]:
    """Time every candidate against the baseline, all in the same blocks.

    Args:
        baseline: What all are compared with.
        candidates: What to time, one at least.
        settings: How long and how precisely.
        clock: Where time comes from.

    Returns:
        One timing for each candidate, in their order.

    Raises:
        StageFailed: The clock gave too few usable blocks.
    """
    arms = [baseline, *candidates]
    warm_ups = [warm_up(arm, settings.budget_s / 8, clock) for arm in arms]
    run = _Run(Blocks(arms, settings.seed, clock), len(candidates))
    _add_blocks(run, settings, clock)
    if run.blocks.count < MIN_SLOW_BLOCKS:
        steps, count = run.blocks.backward_steps, run.blocks.count
        raise StageFailed(f"the clock stepped back {steps} times and left {count} usable blocks")
    baseline_times, *candidate_times = run.blocks.times
    return [
        summarise(times, baseline_times, settings.seed, conditions)
        for times, conditions in zip(candidate_times, run.conditions(warm_ups), strict=True)
    ]


@dataclass(frozen=True)
class _Run:
    """The blocks of a run: of the baseline and of the candidates."""

    blocks: Blocks
    candidates: int

    def is_precise(self, precision: float, seed: int) -> bool:
        """Whether all intervals are narrow enough."""
        baseline, *candidates = self.blocks.times
        ratios = (ratio(times, baseline, seed, floor=0.0) for times in candidates)
        return all(found.half_width <= precision for found in ratios)

    def conditions(self, warm_ups: list[WarmUp]) -> Iterator[Conditions]:
        """What each candidate was timed under."""
        blocks, machine = self.blocks, device_state()
        for candidate in warm_ups[1:]:
            warm = {CANDIDATE: candidate, BASELINE: warm_ups[0]}
            yield Conditions(
                warm_up_s=candidate.spent_s,
                unsettled={name: each.spent_s for name, each in warm.items() if not each.settled},
                longest_untimed_s=blocks.longest_untimed_s,
                backward_steps=blocks.backward_steps,
                slowed=slowed(machine) if accelerated() else "",
                machine=machine,
            )


def _add_blocks(run: _Run, settings: TimingSettings, clock: Clock) -> None:
    """The stopping rule, with rests in between."""
    blocks, budget_s = run.blocks, settings.budget_s * run.candidates
    fewest_calls = min(blocks.timed_calls[1:])
    needed = math.ceil(settings.least_calls / fewest_calls)
    next_check_s = min(FIRST_CHECK_S * run.candidates, budget_s)
    next_rest_s = REST_EVERY_S if settings.rest_s else math.inf
    while blocks.discarded < MAX_DISCARDED and (blocks.count < needed or _is_within(budget_s, blocks)):
        blocks.add()
        is_due = blocks.spent_s >= next_check_s and blocks.count >= max(needed, MIN_BLOCKS)
        if settings.precision is not None and is_due:
            if run.is_precise(settings.precision, settings.seed):
                break
            next_check_s = CHECK_GROWTH * blocks.spent_s
        if blocks.spent_s >= next_rest_s:
            clock.sleep(settings.rest_s)
            next_rest_s = blocks.spent_s + REST_EVERY_S


def _is_within(budget_s: float, blocks: Blocks) -> bool:
    if blocks.spent_s < budget_s:
        return True
    return blocks.count < (MIN_BLOCKS if blocks.spent_s < MAX_OVERRUN * budget_s else MIN_SLOW_BLOCKS)
