"""Early stopping of trials: after their screening by the constraints, and at the rungs of their training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from dashboards.formatting import quality_text
from search.driver.successive_halving import Rungs
from search.objectives.constraint import without_unstable_timings
from search.objectives.trial_targets import KNOWN_AFTER_TRAINING, TrialTargets
from search.study.attributes import COMPETED
from spaces.plans import TRAINING_SPEED


@dataclass
class TrainingProgress:
    """How far the training of a trial has come.

    Attributes:
        number: The number of the trial.
        keys: The key of the stage of each level, by the epochs after which the level ends; rising, empty where nothing
            is trained.
        accuracies: The accuracy on the validation split by the epochs trained so far.
        losses: The mean training loss of each epoch, by the epochs trained with it.
        competed: The losses with which the trial competed at each rung so far.
    """

    number: int
    keys: Mapping[int, str]
    accuracies: dict[int, float] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    competed: list[list[float]] = field(default_factory=list)

    @property
    def levels(self) -> tuple[int, ...]:
        """The epochs after which the levels end."""
        return tuple(self.keys)


class EarlyStopping:
    """Decides which trials of a study are stopped before their last stage.

    After its screening a trial is stopped where it misses a constraint on its speed or its size.

    At the end of each level of its training but the last, a rung, it competes: in the losses of the objectives, with
    the accuracy of the network at the rung and the speed and size of the screening, and in how far it misses a
    constraint that training decides. A trial whose speed is not known yet does not compete: a guess would stop good
    ones. Where another trial shares the next level of the training and goes on, a trial goes on too: that costs no
    training, and trials that share their training differ in precision and runtime.

    Args:
        targets: Turn figures into losses.
        ended: The trials that an earlier driver has finished; their losses still count at the rungs.
        trained: Keys of the levels that are trained already.
    """

    def __init__(self, targets: TrialTargets, ended: Sequence[FrozenTrial] = (), trained: Iterable[str] = ()) -> None:
        self._targets = targets
        self._rungs: dict[tuple[int, ...], Rungs] = {}
        self._trained = set(trained)
        for trial in ended:
            competed = trial.user_attrs.get(COMPETED)
            if competed:
                rungs = self._rungs_of(tuple(competed["levels"]))
                for rung, losses in enumerate(competed["losses"]):
                    rungs.report(trial.number, rung, losses)

    def after_screening(self, speed: Mapping[str, Any]) -> str | None:
        """Why a trial with the figures ``speed`` of its screening is not trained, or None where it is."""
        missed = self._targets.first_violated(without_unstable_timings(speed))
        return f"not trained: it misses {missed} with {speed[missed.quantity]:.4g}" if missed else None

    def would_stop_if_trusted(self, speed: Mapping[str, Any]) -> bool:
        """Whether a trial would not be trained if all of ``speed`` could be trusted."""
        return self._targets.first_violated(speed) is not None

    def after_level(
        self, training: TrainingProgress, result: Mapping[str, Any], speed: Mapping[str, Any] | None
    ) -> str | None:
        """Why a trial is stopped after a level of its training, or None where it goes on.

        Args:
            training: How far it has come; the accuracy and the losses at this level are added to it.
            result: The figures of the level.
            speed: The figures of its screening, or None.
        """
        levels = training.levels
        epochs, accuracy = int(result["epochs"]), result.get("accuracy")
        if accuracy is not None:
            training.accuracies[epochs] = accuracy
        if accuracy is None or epochs == levels[-1]:
            return None
        next_key = training.keys[levels[levels.index(epochs) + 1]]
        if self._goes_on(training, epochs, self._losses(result, speed)) or next_key in self._trained:
            self._trained.add(next_key)
            return None
        reached = quality_text(accuracy, self._targets.metric)
        return f"others did better after {epochs} of {levels[-1]} epochs of training ({reached} there)"

    def _goes_on(self, training: TrainingProgress, epochs: int, losses: list[float] | None) -> bool:
        rung = len(training.competed)
        if losses is None or epochs != training.levels[rung]:
            return True
        training.competed.append(losses)
        return self._rungs_of(training.levels).report(training.number, rung, losses)

    def _rungs_of(self, levels: tuple[int, ...]) -> Rungs:
        if levels not in self._rungs:
            self._rungs[levels] = Rungs(levels)
        return self._rungs[levels]

    def _losses(self, result: Mapping[str, Any], speed: Mapping[str, Any] | None) -> list[float] | None:
        """What a trial competes in; None where one of the objectives is not known.

        A constraint on a quantity that is not known yet counts as met: there are as many losses each time.
        """
        trained = {name: result[name] for name in TRAINING_SPEED if name in result}
        so_far = {**trained, **self._targets.accuracies(result["accuracy"])}
        targets = self._targets.of_measurement({**(speed or {}), **so_far})
        objectives = targets[: len(self._targets.objectives)]
        missed = [
            max(0.0, float(np.nan_to_num(violation)))
            for constraint, violation in zip(self._targets.constraints, targets[len(objectives) :], strict=True)
            if constraint.quantity in KNOWN_AFTER_TRAINING
        ]
        return [*objectives.tolist(), *missed] if np.isfinite(objectives).all() else None
