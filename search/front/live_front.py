"""The front of a search that goes on, kept up to date trial by trial."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.objectives.constraint import Constraint, is_feasible
from search.objectives.dominance import dominates
from search.objectives.loss_table import loss_table
from search.objectives.objective import Objective
from search.objectives.pareto_front import hypervolume
from search.study.study import TrialRecord


class LiveFront:
    """The same as `search.front.front.compute_front` of the complete trials added so far, in the order of their adding.

    A new trial is compared with all earlier ones, not every trial with every other. Trials that have left the front are
    compared too, since certain dominance is not transitive.

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
        self._table = loss_table(objectives, [], {})

    @property
    def members(self) -> list[TrialRecord]:
        """The trials on the front, fastest first."""
        members = [self._feasible[row] for row in np.flatnonzero(self._on_front)]
        return sorted(members, key=lambda trial: -(trial.measurement or {})["speedup"])

    @property
    def hypervolume(self) -> float:
        """The hypervolume of the members' estimates; 0 of an empty front."""
        return hypervolume(self._table.points[self._on_front])

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
        measured, answered = [trial.measurement or {}], [trial.answers]
        row = loss_table(self._objectives, measured, self._baseline, self._resolution, answered)
        self._table = self._table.with_row(row)
        new, earlier = len(self._feasible), np.arange(len(self._feasible))
        is_dominated = dominates(self._table, earlier, new).any()
        self._on_front &= ~dominates(self._table, new, earlier)
        self._on_front = np.append(self._on_front, not is_dominated)
        self._feasible.append(trial)
