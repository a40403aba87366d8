"""The blocks of a run: in each, every arm is timed twice, in a random order and then in the reverse of it.

This is the ABBA design where there are two arms. A linear drift of the machine within a block adds the same to all.
"""

import math
from collections.abc import Sequence

import numpy as np

from runners.measuring.calls import Call, Clock, half_block, time_calls
from runners.measuring.estimator import Floats

PAUSE_BLOCKS = 10
"""Of a pause in the middle of a block, no more than the time of this number of blocks counts as spent."""


class Blocks:
    """Times blocks, and keeps those that are usable.

    Args:
        arms: What is timed. They are warm.
        seed: Of the orders.
        clock: Where time comes from.

    Attributes:
        times: For each arm its call times in seconds, one array per block.
        timed_calls: For each arm, the timed calls of a block.
        spent_s: Seconds spent on usable blocks.
        backward_steps: Calls that took no time, or less, by the clock.
        discarded: Blocks that were left out because the clock stepped back.
        longest_untimed_s: The longest of the calls that are not timed.
    """

    def __init__(self, arms: Sequence[Call], seed: int, clock: Clock) -> None:
        self._arms, self._clock = arms, clock
        self._halves = [half_block(arm, clock) for arm in arms]
        self._random = np.random.default_rng(seed)
        self._longest_s = math.inf
        self.times: list[list[Floats]] = [[] for _ in arms]
        self.timed_calls = [2 * half.timed for half in self._halves]
        self.spent_s = 0.0
        self.backward_steps = 0
        self.discarded = 0
        self.longest_untimed_s = 0.0

    @property
    def count(self) -> int:
        """How many usable blocks there are."""
        return len(self.times[0])

    def add(self) -> None:
        """Time one block. One in which the clock stepped back is left out for all arms."""
        begin = self._clock.now()
        times, untimed = self._time_block()
        passed_s = self._clock.now() - begin
        back = sum(not 0 < seconds < math.inf for calls in [*times, untimed] for seconds in calls)
        if not back and passed_s < sum(map(sum, times)):
            back = 1  # between two calls
        self.backward_steps += back
        if back:
            self.discarded += 1
            return
        self.spent_s += min(passed_s, self._longest_s)
        self._longest_s = min(self._longest_s, PAUSE_BLOCKS * passed_s)
        for blocks, calls in zip(self.times, times, strict=True):
            blocks.append(np.array(calls))
        self.longest_untimed_s = max(self.longest_untimed_s, *untimed)

    def _time_block(self) -> tuple[list[list[float]], list[float]]:
        """The timed calls of each arm, and the others of all arms."""
        times: list[list[float]] = [[] for _ in self._arms]
        untimed: list[float] = []
        order = self._random.permutation(len(self._arms)).tolist()
        for arm in order + order[::-1]:
            half = self._halves[arm]
            untimed += time_calls(self._arms[arm], half.untimed, self._clock)
            times[arm] += time_calls(self._arms[arm], half.timed, self._clock)
        return times, untimed
