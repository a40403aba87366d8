"""The front of a search that goes on: each trial is compared with the front, not with all trials."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.front.front import feasible
from search.objectives.constraint import Constraint
from search.objectives.loss_table import loss_table
from search.objectives.objective import Objective
from search.objectives.pareto_front import hypervolume
from search.study.study import TrialRecord


class LiveFront:
    """`search.front.front.front_of` of the complete trials that were added, in the order in which they were.

    A trial can fall to one that has fallen itself, so that besides the front itself those are kept that can still make
    another one fall: for each objective, the trials that nothing surpasses in the estimates and in the worse end of
    that objective.

    Args:
        objectives: What is optimised.
        constraints: What must hold.
        resolution: The smallest share by which two speeds must differ to be believed.
    """

    def __init__(
        self, objectives: Sequence[Objective], constraints: Sequence[Constraint], resolution: float = 0.0
    ) -> None:
        self._objectives = objectives
        self._constraints = constraints
        self._resolution = resolution
        self._baseline: Mapping[str, Any] = {}
        self._before_the_baseline: list[TrialRecord] = []
        self._members: list[TrialRecord] = []
        self._slowness: list[float] = []
        self._points = self._best = np.zeros((0, len(objectives)))
        self._beaters = [np.zeros((0, len(objectives) + 1)) for _ in objectives]

    @property
    def members(self) -> list[TrialRecord]:
        """The feasible trials that nothing dominates for certain, fastest first."""
        return list(self._members)

    @property
    def hypervolume(self) -> float:
        """That of the estimates of all feasible trials."""
        return hypervolume(self._points)

    def add(self, trial: TrialRecord) -> None:
        """Take in a complete trial; nothing is on the front before trial 0 came, with which all are compared."""
        if trial.number == 0:
            self._baseline = trial.measurement or {}
        if not self._baseline:
            self._before_the_baseline.append(trial)
            return
        waiting, self._before_the_baseline = self._before_the_baseline, []
        for one in [*waiting, trial]:
            if feasible(one.measurement or {}, self._constraints):
                self._place(one)

    def _place(self, trial: TrialRecord) -> None:
        figures = trial.measurement or {}
        table = loss_table(self._objectives, [figures], self._baseline, self._resolution)
        point, best, worst = table.points[0], table.best[0], table.worst[0]
        falls = any(_falls(point, best[j], beaters) for j, beaters in enumerate(self._beaters))
        self._fell(point, worst)
        self._beaters = [_with(np.append(point, worst[j]), beaters) for j, beaters in enumerate(self._beaters)]
        if not falls:
            slowness = -figures["speedup"]
            place = bisect_right(self._slowness, slowness)
            self._slowness.insert(place, slowness)
            self._members.insert(place, trial)
            self._points = np.insert(self._points, place, point, axis=0)
            self._best = np.insert(self._best, place, best, axis=0)

    def _fell(self, point: NDArray[np.float64], worst: NDArray[np.float64]) -> None:
        """Take those off the front that a new trial makes fall."""
        fallen = (point <= self._points).all(axis=1) & (worst < self._best).any(axis=1)
        if fallen.any():
            kept = np.flatnonzero(~fallen)
            self._members = [self._members[row] for row in kept]
            self._slowness = [self._slowness[row] for row in kept]
            self._points, self._best = self._points[kept], self._best[kept]


def _falls(point: NDArray[np.float64], best: float, beaters: NDArray[np.float64]) -> bool:
    """Whether one of ``beaters``, points with their worse end in an objective, is certainly better there."""
    return bool(((beaters[:, :-1] <= point).all(axis=1) & (beaters[:, -1] < best)).any())


def _with(new: NDArray[np.float64], beaters: NDArray[np.float64]) -> NDArray[np.float64]:
    """``beaters`` with ``new``, less those that are no longer needed."""
    if (beaters <= new).all(axis=1).any():
        return beaters
    return np.vstack([beaters[~(new <= beaters).all(axis=1)], new])
