"""The blocks of a run: in each, every arm has two turns, in a random order and then in the reverse of it.

This is the ABBA design where there are two arms: on average over a block no arm comes earlier than another.
"""

from collections.abc import Sequence

import numpy as np

from runners.measuring.calls import Call, Floats, Now, time_calls, turn_of
from runners.measuring.disturbance import Others

WAITED = 0.05
"""A turn counts as undisturbed where this process waited for a core for at most this share of it. A busy program on one
of two cores makes it most of a turn, and an idle Ray, whose processes wake up now and then, 1 to 3 %."""


class Blocks:
    """Times blocks, and knows which turns were undisturbed.

    Args:
        arms: What is timed. They are warm.
        seed: Of the orders.
        now: The clock.
        others: What others do to the cores.

    Attributes:
        times: For each arm the seconds of all its timed calls, one array per block, as `time_calls` gives it.
        shared: Of each block, whether two cores were one physical core before or after it.
        spent_s: Seconds spent on blocks.
    """

    def __init__(self, arms: Sequence[Call], seed: int, now: Now, others: Others) -> None:
        self._arms, self._now, self._others = arms, now, others
        self._turns = [turn_of(arm, now) for arm in arms]
        self._random = np.random.default_rng(seed)
        self._cores = others.cores()
        self._is_shared = self._cores_are_shared()
        self._undisturbed: list[list[Floats]] = [[] for _ in arms]
        self.times: list[list[Floats]] = [[] for _ in arms]
        self.shared: list[bool] = []
        self.spent_s = 0.0

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.shared)

    @property
    def fewest_calls(self) -> int:
        """Timed calls in a block of the arm that has the fewest."""
        return 2 * min(turn.timed for turn in self._turns)

    def add(self) -> None:
        """Time one block."""
        begin = self._now()
        calls: list[list[Floats]] = [[] for _ in self._arms]
        undisturbed: list[list[Floats]] = [[] for _ in self._arms]
        order = self._random.permutation(len(self._arms)).tolist()
        for arm in order + order[::-1]:
            times, waited = self._take_turn(arm)
            calls[arm].append(times)
            undisturbed[arm].append(times if waited <= WAITED * times.sum() else times[:0])
        was_shared, self._is_shared = self._is_shared, self._cores_are_shared()
        self.shared.append(was_shared or self._is_shared)
        for arm in range(len(self._arms)):
            self.times[arm].append(np.concatenate(calls[arm]))
            self._undisturbed[arm].append(np.concatenate(undisturbed[arm]))
        self.spent_s += self._now() - begin

    def undisturbed(self, *arms: int) -> list[list[Floats]]:
        """The undisturbed calls of ``arms``, from the blocks in which all have some and the cores are not shared."""
        blocks = zip(*(self._undisturbed[arm] for arm in arms), strict=True)
        kept = [calls for calls, shared in zip(blocks, self.shared, strict=True) if all(map(len, calls)) and not shared]
        return [[calls[place] for calls in kept] for place in range(len(arms))]

    def _take_turn(self, arm: int) -> tuple[Floats, float]:
        """The times of the timed calls, and the seconds that this process waited for a core meanwhile."""
        call, turn = self._arms[arm], self._turns[arm]
        time_calls(call, turn.untimed, self._now)
        before = self._others.waited_s()
        times = time_calls(call, turn.timed, self._now)
        return times, self._others.waited_s() - before

    def _cores_are_shared(self) -> bool:
        return len(self._cores) > 1 and self._others.cores_are_shared(self._cores)
