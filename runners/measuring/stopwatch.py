"""The stopwatch: candidates and baseline in one process, in turn, and the ratio between them.

Numbers taken at different times are not compared: a shared machine changes its speed by the minute, and what it
does to one side of a block it does to the others. A block runs all sides in a random order and then in the
reverse of it (ABBA where there are two), so a drift within a block falls on all alike. What stands for a side, and
why, is told in `runners.measuring.estimator`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from runners.machine.accelerator import accelerated
from runners.measuring.calls import Call, Clock, Turn, time_calls, turn_of, warm_up
from runners.measuring.deviation import BaselineMinimum, Deviation, reference_computation
from runners.measuring.energy import device_state, slowed
from runners.measuring.estimator import Floats, fast_end
from runners.measuring.interval import ratio
from runners.measuring.paired_timing import BASELINE, CANDIDATE, Circumstances, PairedTiming, summarise
from runners.runner import StageFailed

PRECISION = 0.01
"""Timing ends early once all intervals' half-widths, as a share, are below this but for their floor."""
MINIMUM_BLOCKS = 12
FEWEST_BLOCKS = 3
MINIMUM_S = 0.3
LOOKS = 1.5
"""Between two looks at the intervals the time spent grows by this factor: looking often stops at lucky moments."""
SPRINT_S = 1.0
OVERTIME = 10.0
"""How many times the budget slow calls may take to reach the minimum of blocks."""
FAULTY_BLOCKS = 100
"""After so many blocks in which the clock stepped back, no more are tried."""


def time_pair(
    candidate: Call,
    baseline: Call,
    *,
    budget_s: float,
    seed: int,
    precision: float | None = PRECISION,
    least_calls: int = 0,
    rest_s: float = 0.0,
    known: BaselineMinimum | None = None,
    clock: Clock = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> PairedTiming:
    """Time one candidate against the baseline; see `time_interleaved`."""
    return time_interleaved(
        baseline,
        [candidate],
        budget_s=budget_s,
        seed=seed,
        precision=precision,
        least_calls=least_calls,
        rest_s=rest_s,
        known=known,
        clock=clock,
        sleep=sleep,
    )[0]


def time_interleaved(
    baseline: Call,
    candidates: Sequence[Call],
    *,
    budget_s: float,
    seed: int,
    precision: float | None = PRECISION,
    least_calls: int = 0,
    rest_s: float = 0.0,
    known: BaselineMinimum | None = None,
    clock: Clock = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
    reference: Call = reference_computation,
) -> list[PairedTiming]:
    """Time every candidate against the baseline, all in turn.

    It goes on to `MINIMUM_BLOCKS` blocks, but not beyond `OVERTIME` budgets, and makes `FEWEST_BLOCKS` at least.

    Args:
        baseline: What all are compared with.
        candidates: What to time, one at least.
        budget_s: Seconds for each candidate.
        seed: Seed of the orders and of the bootstrap.
        precision: Half-width, as a share of the speedup, at which all intervals are narrow enough to end before
            the budget is spent; None spends it.
        least_calls: So many calls of each candidate are timed, however long that takes, as a high percentile needs.
        rest_s: Seconds of rest after every `SPRINT_S` of timing: the same calls, spread over more of what the machine
            does. Of a trace of 240 s, 12 s of timing in a row spread by 2.5 % (10th to 90th percentile), and by 1.2 %
            in a fifth of 60 s.
        known: The shortest time known of the baseline, which corrects ratios and narrows intervals; None where nothing
            is to be made of that.
        clock: Seconds, rising.
        sleep: Lets so many seconds pass.
        reference: The computation that the baseline is compared with, where ``known`` is given.

    Returns:
        One timing for each candidate, in their order.

    Raises:
        StageFailed: The clock gave too few usable blocks.
    """
    calls = [baseline, *candidates]
    warm = [warm_up(call, budget_s / 8, clock) for call in calls]
    timed = calls if known is None else [*calls, reference]
    record = _Record([turn_of(call, clock) for call in timed])
    random, budget = np.random.default_rng(seed), budget_s * len(candidates)
    next_look = min(MINIMUM_S * len(candidates), budget)
    next_rest = SPRINT_S if rest_s else math.inf
    needed = max(math.ceil(least_calls / 2 / turn.timed) for turn in record.turns[1 : len(calls)])
    while record.faulty < FAULTY_BLOCKS and (record.blocks < needed or _more(record, budget)):
        record.add(timed, random, clock)
        if precision is not None and record.spent_s >= next_look and record.blocks >= max(needed, MINIMUM_BLOCKS):
            if _narrow(record, len(candidates), precision, seed, known):
                break
            next_look = LOOKS * record.spent_s
        if record.spent_s >= next_rest:
            sleep(rest_s)
            next_rest = record.spent_s + SPRINT_S
    if record.blocks < FEWEST_BLOCKS:
        raise StageFailed(f"the clock stepped back {record.steps_back} times and left {record.blocks} usable blocks")
    machine = device_state()
    seen = BaselineMinimum() if known is None or record.steps_back else _seen(record)
    throttled = slowed(machine) if accelerated() else ""

    def met(side: int) -> Circumstances:
        return Circumstances(
            warm_up_s=warm[side].spent_s,
            unsettled={name: warm[i].spent_s for i, name in ((side, CANDIDATE), (0, BASELINE)) if not warm[i].settled},
            longest_lead_s=record.longest_lead_s,
            steps_back=record.steps_back,
            slowed=throttled,
            machine=machine,
            deviation=_deviation(record, side, known),
            minimum=seen,
        )

    return [summarise(record.sides[i], record.sides[0], seed, met(i)) for i in range(1, len(calls))]


@dataclass
class _Record:
    """The usable blocks so far: for each side one array of call times in seconds per block."""

    turns: list[Turn]
    spent_s: float = 0.0
    steps_back: int = 0
    faulty: int = 0
    longest_lead_s: float = 0.0
    _longest_s: float = field(default=math.inf)

    def __post_init__(self) -> None:
        self.sides: list[list[Floats]] = [[] for _ in self.turns]

    @property
    def blocks(self) -> int:
        return len(self.sides[0])

    def add(self, calls: list[Call], random: np.random.Generator, clock: Clock) -> None:
        """Run one block. One in which the clock stepped back counts as faulty and is left out on all sides."""
        begin = clock()
        times, leads = self._run_block(calls, random, clock)
        passed_s = clock() - begin
        back = sum(not 0 < seconds < math.inf for side in [*times, leads] for seconds in side)
        if not back and passed_s < sum(map(sum, times)):
            back = 1  # between two calls
        self.steps_back += back
        if back:
            self.faulty += 1
            return
        # Of a pause no more than ten blocks' time counts: it is no reason to end early.
        self.spent_s += min(passed_s, self._longest_s)
        self._longest_s = min(self._longest_s, 10 * passed_s)
        for side, block in zip(self.sides, times, strict=True):
            side.append(np.array(block))
        self.longest_lead_s = max(self.longest_lead_s, *leads)

    def _run_block(
        self, calls: list[Call], random: np.random.Generator, clock: Clock
    ) -> tuple[list[list[float]], list[float]]:
        """The timed calls of each side, and the others of all sides."""
        times: list[list[float]] = [[] for _ in calls]
        leads: list[float] = []
        order = random.permutation(len(calls)).tolist()
        for side in order + order[::-1]:
            leads += time_calls(calls[side], self.turns[side].leads, clock)
            times[side] += time_calls(calls[side], self.turns[side].timed, clock)
        return times, leads


def _more(record: _Record, budget_s: float) -> bool:
    if record.spent_s < budget_s:
        return True
    return record.blocks < (MINIMUM_BLOCKS if record.spent_s < OVERTIME * budget_s else FEWEST_BLOCKS)


def _seen(record: _Record, beside: list[Floats] | None = None) -> BaselineMinimum:
    """The baseline's time in the run so far; the last side is the reference computation."""
    seconds = fast_end(record.sides[0], beside)
    return BaselineMinimum(seconds / fast_end(record.sides[-1]), 1e3 * seconds, record.spent_s)


def _deviation(record: _Record, side: int, known: BaselineMinimum | None) -> Deviation:
    """How that was against what is known, with the calls that stand for the baseline ``beside`` this side."""
    return Deviation() if known is None else known.deviation_of(_seen(record, record.sides[side]))


def _narrow(record: _Record, candidates: int, precision: float, seed: int, known: BaselineMinimum | None) -> bool:
    ratios = (
        ratio(record.sides[side], record.sides[0], seed, floor=0.0, deviation=_deviation(record, side, known))
        for side in range(1, 1 + candidates)
    )
    return all(found.half_width <= precision for found in ratios)
