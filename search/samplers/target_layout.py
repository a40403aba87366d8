"""The targets that a sampler models: objectives and constraint violations of trials and of candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna import Study
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.objectives.arrays import Floats

Values = Sequence[float] | Floats

_REFERENCE_MARGIN = 0.1
"""How far the reference point lies beyond the worst observed value, as a share of the range of values."""


def objective_values(trial: FrozenTrial) -> Values | None:
    """The objective values of a complete trial; None for any other."""
    return trial.values if trial.state == TrialState.COMPLETE else None


@dataclass(frozen=True)
class TargetLayout:
    """Which targets a trial has: first the objectives, then the constraint violations.

    Attributes:
        n_objectives: Number of objectives; the sampler is fast with up to three.
        n_constraints: Number of constraints; a candidate is feasible where all violations are at most 0.
        trial_values: Gives the targets of a trial: fewer than there are leave the last ones unknown, None all of them.
            A trial that is not complete may have targets too: the models use them, the front does not.
        are_losses: Whether objectives are losses to minimise with the reference point at 1. Otherwise they are as the
            study has them: the study's directions say what is better, and the reference point is a bit beyond the
            worst observed value of each objective.
    """

    n_objectives: int
    n_constraints: int = 0
    trial_values: Callable[[FrozenTrial], Values | None] = objective_values
    are_losses: bool = False

    @property
    def n_targets(self) -> int:
        """Number of objectives and constraints."""
        return self.n_objectives + self.n_constraints

    def to_minimise(self, values: Values | None, study: Study | None) -> Floats:
        """``values`` as targets to minimise, shape ``(n_targets,)``; NaN where one is missing or not finite.

        Args:
            values: Targets as ``trial_values`` gives them.
            study: Its directions are those of the objectives; not needed for losses.
        """
        targets = np.full(self.n_targets, np.nan)
        if values is not None:
            targets[: len(values)] = [float(value) for value in values]
        targets[~np.isfinite(targets)] = np.nan
        if not self.are_losses and study is not None:
            is_maximised = [direction == StudyDirection.MAXIMIZE for direction in study.directions]
            targets[: self.n_objectives] *= np.where(is_maximised, -1.0, 1.0)
        return targets

    def reference_point(self, observed: Floats) -> Floats:
        """The reference point ``(n_objectives,)`` after ``observed`` targets ``(n, n_targets)``, NaN where unknown.

        It is infinite in an objective that was never observed.
        """
        if self.are_losses:
            return np.ones(self.n_objectives)
        columns = observed[:, : self.n_objectives].T
        return np.array([_beyond_the_worst(column[np.isfinite(column)]) for column in columns])


def _beyond_the_worst(values: Floats) -> float:
    if not len(values):
        return np.inf
    worst, spread = float(values.max()), float(np.ptp(values))
    return worst + _REFERENCE_MARGIN * (spread or abs(worst) or 1.0)
