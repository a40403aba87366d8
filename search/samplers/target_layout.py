"""The numbers that a sampler learns: objective losses and constraint violations of trials and of candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats

BEYOND_THE_WORST = 0.1
"""How far the reference point lies beyond the worst value seen, as a share of the range."""


def values_of(trial: FrozenTrial) -> Values:
    """The values of a complete trial; nothing of any other."""
    return trial.values if trial.state == TrialState.COMPLETE and trial.values is not None else ()


@dataclass(frozen=True)
class TargetLayout:
    """How a trial becomes a vector: the objectives, then the constraints; what is unknown is NaN.

    Attributes:
        objectives: How many there are; 1 to 3 is what the sampler is fast with.
        constraints: How many there are; a candidate is feasible where all are at most 0.
        of: The vector of a trial; a shorter one lacks the last columns, and None all of them. A trial that is not
            complete may have values too: they are learnt from, but are no result.
        losses: Whether objectives come as losses to minimise with the reference point at 1. Otherwise they come as
            the study has them: the study's directions say what is better, and the reference point lies a bit beyond
            the worst value seen.
    """

    objectives: int
    constraints: int = 0
    of: Callable[[FrozenTrial], Values | None] = values_of
    losses: bool = False

    @property
    def count(self) -> int:
        """Of all columns."""
        return self.objectives + self.constraints

    def vector(self, values: Values | None, study: Study | None) -> Floats:
        """``values`` as ``(count,)`` numbers to minimise; what is not finite or missing is NaN."""
        row = np.full(self.count, np.nan)
        if values is not None:
            row[: len(values)] = [float(value) for value in values]
        row[~np.isfinite(row)] = np.nan
        if not self.losses and study is not None:
            upwards = [direction == StudyDirection.MAXIMIZE for direction in study.directions]
            row[: self.objectives] *= np.where(upwards, -1.0, 1.0)
        return row

    def reference(self, known: Floats) -> Floats:
        """The reference point ``(n_objectives,)`` after the ``known`` rows ``(n, count)`` were seen."""
        if self.losses:
            return np.ones(self.objectives)
        return np.array([_beyond(column[np.isfinite(column)]) for column in known[:, : self.objectives].T])


def _beyond(values: Floats) -> float:
    if not len(values):
        return np.inf
    worst, spread = float(values.max()), float(np.ptp(values))
    return worst + BEYOND_THE_WORST * (spread or abs(worst) or 1.0)
