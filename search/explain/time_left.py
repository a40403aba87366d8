"""What still fits into the time that a person gives, and what may be trained in it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runners.chains.chain import COMPARING_PROCESSES, CONTRASTING_S

OPENING_S = 4.0
OPENING_EACH_S = 0.2
"""Seconds that each process takes to begin and to load what is timed: the first, and the second for each variant."""


@dataclass(frozen=True)
class TimeLeft:
    """The limits of an explanation.

    Attributes:
        budget_s: Seconds from now that it may take.
        cached_only: Whether nothing is trained.
        training_s: What a training takes, as far as is known; 0 where that is not known.
        clock: Seconds, rising.
    """

    budget_s: float = math.inf
    cached_only: bool = False
    training_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    begun: float = field(default=math.nan)

    def __post_init__(self) -> None:
        object.__setattr__(self, "begun", self.clock())

    @property
    def passed_s(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.begun

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.budget_s - self.passed_s

    def why_untrained(self, timed: int) -> str | None:
        """Why another training may not begin now, or None.

        Args:
            timed: How many variants have to be timed afterwards.
        """
        if self.cached_only:
            return "not trained, as --cached-only asks"
        if self.training_s + timing_s(timed) > self.left_s:
            return f"not trained: that takes about {self.training_s:.0f} s, more than the time budget leaves"
        return None

    def most_timed(self) -> int:
        """How many variants can be timed in the time that is left."""
        if math.isinf(self.left_s):
            return 10**9
        each = COMPARING_PROCESSES * (CONTRASTING_S + OPENING_EACH_S)
        return int((self.left_s - COMPARING_PROCESSES * OPENING_S) / each)


def timing_s(variants: int) -> float:
    """Seconds that timing so many variants beside each other takes on a quiet machine."""
    return COMPARING_PROCESSES * (OPENING_S + variants * (CONTRASTING_S + OPENING_EACH_S))
