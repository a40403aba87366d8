"""The targets of trials: objective losses and constraint violations, as a sampler models them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from runners.metric import ACCURACY, QualityMetric
from search.objectives.arrays import Floats
from search.objectives.constraint import Constraint
from search.objectives.loss_table import compared_quantity, losses
from search.objectives.objective import Objective
from spaces.plans import TRAINING_SPEED

KNOWN_AFTER_TRAINING = ("accuracy", "accuracy_drop", "accuracy_drop_share", *TRAINING_SPEED)
"""Quantities that are known only of a trained candidate; all others are measured on the untrained network too."""


class TrialTargets:
    """Turns measurements into targets: a loss per objective, then a violation per constraint.

    Losses are to minimise, with the reference point at 1. A violation of at most 0 is feasible. What was not measured
    is NaN.

    A trial that was stopped early has targets too. Its final accuracy is extrapolated as the accuracy where it stopped
    plus the smallest improvement that any complete trial made from there to its end. Trials that went on did better
    there, so a larger value would make a sampler propose its neighbours again and again.

    Args:
        objectives: What is optimised.
        constraints: What a feasible candidate satisfies.
        metric: What an accuracy is.

    Attributes:
        baseline: The measurement of trial 0, to which losses are relative; empty before it is complete.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        metric: QualityMetric = ACCURACY,
    ) -> None:
        self.objectives = objectives
        self.constraints = constraints
        self.metric = metric
        self.baseline: Mapping[str, Any] = {}
        self._improvements: dict[int, list[float]] = {}
        """By epochs of training, how much accuracy each complete trial still gained."""

    def of_measurement(self, measurement: Mapping[str, Any]) -> Floats:
        """The targets of a measurement, perhaps a partial one, shape ``(n_objectives + n_constraints,)``."""
        known = losses(self.objectives, measurement, self.baseline)
        missing = [measurement.get(compared_quantity(objective.name)) is None for objective in self.objectives]
        violations = [self._violation(constraint, measurement) for constraint in self.constraints]
        return np.array([*np.where(missing, np.nan, known), *violations], dtype=float)

    def of_trial(self, trial: FrozenTrial) -> Floats | None:
        """The targets of a complete trial, or of one that was stopped early; None for any other."""
        attributes = trial.user_attrs
        if "measurement" in attributes:
            return self.of_measurement(attributes["measurement"])
        if "stopped" not in attributes:
            return None
        return self.of_measurement(self.extrapolate(attributes.get("speed") or {}, _rungs(attributes)))

    def extrapolate(self, speed: Mapping[str, Any], rungs: Mapping[int, float]) -> dict[str, Any]:
        """The measurement that a trial stopped early is expected to end with.

        Args:
            speed: What was measured before its training.
            rungs: Its accuracy after so many epochs; without any, the result has no accuracy.
        """
        if not rungs:
            return dict(speed)
        epochs = max(rungs)
        improvement = min(self._improvements.get(epochs, [0.0]))
        return {**speed, **self.accuracies(self.metric.improved(rungs[epochs], improvement))}

    def accuracies(self, accuracy: float) -> dict[str, float]:
        """The fields of a `Measurement` that an accuracy on the validation split decides."""
        return {"accuracy": accuracy, **self.metric.drops(accuracy, self.baseline.get("accuracy", 1.0))}

    def add_complete(self, number: int, measurement: Mapping[str, Any], rungs: Mapping[int, float]) -> None:
        """Use a complete trial for later extrapolations; trial 0 becomes the baseline.

        Args:
            number: The trial's number.
            measurement: Its final measurement.
            rungs: Its accuracy after so many epochs of training, before quantisation.
        """
        if number == 0:
            self.baseline = measurement
        for epochs, accuracy in rungs.items():
            # Not the measured accuracy: what quantisation did to this trial says nothing about training.
            self._improvements.setdefault(epochs, []).append(self.metric.drop(accuracy, rungs[max(rungs)]))

    def add_trials(self, trials: Sequence[FrozenTrial]) -> None:
        """Use the complete ones among the trials of a study that goes on."""
        for trial in trials:
            if "measurement" in trial.user_attrs:
                self.add_complete(trial.number, trial.user_attrs["measurement"], _rungs(trial.user_attrs))

    def first_violated(self, measurement: Mapping[str, Any]) -> Constraint | None:
        """The first constraint that ``measurement`` violates; one on a quantity not measured yet is not violated."""
        return next((c for c in self.constraints if self._violation(c, measurement) > 0), None)

    @property
    def has_constraint_before_training(self) -> bool:
        """Whether some constraint can be checked before a candidate is trained."""
        return any(constraint.quantity not in KNOWN_AFTER_TRAINING for constraint in self.constraints)

    @staticmethod
    def _violation(constraint: Constraint, measurement: Mapping[str, Any]) -> float:
        if measurement.get(constraint.quantity) is None:
            return float("nan")
        return constraint.violation(measurement)


def _rungs(attributes: Mapping[str, Any]) -> dict[int, float]:
    return {int(epochs): accuracy for epochs, accuracy in attributes.get("rungs", {}).items()}
