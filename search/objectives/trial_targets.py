"""What a search knows of its candidates, as the numbers that a sampler learns from and that compete at rungs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from search.objectives.constraint import Constraint
from search.objectives.loss_table import figure_of, losses
from search.objectives.objective import Objective

TRAINED = ("accuracy", "accuracy_drop", "train_seconds")
"""Quantities that nobody knows before a candidate is trained; all others a screening gives."""


class TrialTargets:
    """Turns figures into columns: a loss for each objective, the reference point at 1, then a violation for each
    constraint, met at 0 and below. What is not known is NaN.

    A trial that was stopped at a rung still teaches: its accuracy at the end is taken to be what it had, and the least
    that a complete trial gained from that rung to its end. Others did better there, so hoping for more would send the
    sampler to its neighbours again and again.

    Args:
        objectives: What is optimised.
        constraints: What must hold.
    """

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self.objectives = objectives
        self.constraints = constraints
        self.baseline: Mapping[str, Any] = {}
        self._gains: dict[int, list[float]] = {}

    def columns(self, figures: Mapping[str, Any]) -> NDArray[np.float64]:
        """The columns of measured ``figures``, shape ``(n_objectives + n_constraints,)``."""
        known = losses(self.objectives, figures, self.baseline)
        missing = [figures.get(figure_of(objective.name)) is None for objective in self.objectives]
        beyond = [self._violation(constraint, figures) for constraint in self.constraints]
        return np.array([*np.where(missing, np.nan, known), *beyond], dtype=float)

    def of_trial(self, trial: FrozenTrial) -> NDArray[np.float64] | None:
        """The columns of a trial, all of them where it is complete; None where nothing is known."""
        known = trial.user_attrs
        if "measurement" in known:
            return self.columns(known["measurement"])
        if "stopped" not in known:
            return None
        return self.columns(self.foreseen(known.get("speed") or {}, _rungs(known)))

    def foreseen(self, speed: Mapping[str, Any], rungs: Mapping[int, float]) -> dict[str, Any]:
        """The figures of a candidate that has come to the last of ``rungs``, with the accuracy it would end with."""
        if not rungs:
            return dict(speed)
        epochs = max(rungs)
        gained = self._gains.get(epochs)
        accuracy = min(1.0, rungs[epochs] + (min(gained) if gained else 0.0))
        return {**speed, "accuracy": accuracy, "accuracy_drop": self.baseline.get("accuracy", 1.0) - accuracy}

    def completed(self, number: int, measurement: Mapping[str, Any], rungs: Mapping[int, float]) -> None:
        """Learn what a complete trial gained after each of its rungs; trial 0 is the baseline."""
        if number == 0:
            self.baseline = measurement
        for epochs, accuracy in rungs.items():
            # of the network: what quantising did to this trial is nothing that others need expect
            self._gains.setdefault(epochs, []).append(rungs[max(rungs)] - accuracy)

    def recall(self, trials: Sequence[FrozenTrial]) -> None:
        """Learn from the trials that an earlier driver has told."""
        for trial in trials:
            if "measurement" in trial.user_attrs:
                self.completed(trial.number, trial.user_attrs["measurement"], _rungs(trial.user_attrs))

    def missed(self, figures: Mapping[str, Any]) -> Constraint | None:
        """The first constraint that ``figures`` violate; one whose quantity is not known yet is not violated."""
        return next((c for c in self.constraints if self._violation(c, figures) > 0), None)

    @property
    def speed_decides(self) -> bool:
        """Whether a constraint can be settled before any training."""
        return any(constraint.quantity not in TRAINED for constraint in self.constraints)

    @staticmethod
    def _violation(constraint: Constraint, figures: Mapping[str, Any]) -> float:
        return constraint.violation(figures) if figures.get(constraint.quantity) is not None else float("nan")


def _rungs(attributes: Mapping[str, Any]) -> dict[int, float]:
    return {int(epochs): accuracy for epochs, accuracy in attributes.get("rungs", {}).items()}
