"""The front of a search that goes on, kept up to date trial by trial."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.objectives.constraint import Constraint, is_feasible
from search.objectives.loss_table import loss_table
from search.objectives.objective import Objective
from search.objectives.pareto_front import dominates, hypervolume
from search.study.study import TrialRecord


class LiveFront:
    """The same as `search.front.front.compute_front` of the complete trials added so far, in the order of their adding.

    A new trial is compared with all earlier ones, not every trial with every other. Trials that have left the front are
    compared too, since dominance beyond intervals is not transitive.

    Args:
        objectives: What is optimised.
        constraints: What a feasible trial satisfies.
        resolution: The smallest relative difference in speed that is significant.
    """

    def __init__(
        self, objectives: Sequence[Objective], constraints: Sequence[Constraint], resolution: float = 0.0
    ) -> None:
        self._objectives = objectives
        self._constraints = constraints
        self._resolution = resolution
        self._baseline: Mapping[str, Any] = {}
        self._waiting: list[TrialRecord] = []
        self._feasible: list[TrialRecord] = []
        self._on_front = np.zeros(0, dtype=bool)
        self._points = self._lower = self._upper = np.zeros((0, len(objectives)))

    @property
    def members(self) -> list[TrialRecord]:
        """The trials on the front, fastest first."""
        members = [self._feasible[row] for row in np.flatnonzero(self._on_front)]
        return sorted(members, key=lambda trial: -(trial.measurement or {})["speedup"])

    @property
    def hypervolume(self) -> float:
        """The hypervolume of the members' estimates; 0 of an empty front."""
        return hypervolume(self._points[self._on_front])

    def add(self, trial: TrialRecord) -> None:
        """Add a complete trial; trials count from when the baseline, trial 0, was added."""
        if trial.number == 0:
            self._baseline = trial.measurement or {}
        self._waiting.append(trial)
        if not self._baseline:
            return
        for waiting in self._waiting:
            if is_feasible(waiting.measurement or {}, self._constraints):
                self._compare(waiting)
        self._waiting = []

    def _compare(self, trial: TrialRecord) -> None:
        table = loss_table(self._objectives, [trial.measurement or {}], self._baseline, self._resolution)
        is_dominated = dominates(self._points, self._upper, table.points, table.lower).any()
        self._on_front &= ~dominates(table.points, table.upper, self._points, self._lower)
        self._feasible.append(trial)
        self._on_front = np.append(self._on_front, not is_dominated)
        self._points = np.vstack([self._points, table.points])
        self._lower = np.vstack([self._lower, table.lower])
        self._upper = np.vstack([self._upper, table.upper])
