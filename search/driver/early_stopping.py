"""The race of a study: trials under training compete at rungs, and leave where they can be told not to win."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from search.driver.candidate import Candidate
from search.driver.successive_halving import Rungs
from search.objectives.trial_targets import KNOWN_AFTER_TRAINING, TrialTargets


class EarlyStopping:
    """Reports the trials of a study at each rung of their training.

    They compete in the losses of the objectives, with the accuracy of the network at the rung and the speed and size of
    the screening, and in how far they miss a constraint that training decides. A trial whose speed is not known yet
    does not compete: a guess would stop winners. Where another trial shares the next level of the training and goes
    on, a trial goes on too: that costs no training, and its precision and its runtime have not had their say.

    Args:
        lessons: Turns figures into losses.
        told: The trials that an earlier driver has told, whose places at the rungs still count.
        trained: Keys of levels that are trained already.
    """

    def __init__(self, targets: TrialTargets, told: Sequence[FrozenTrial] = (), trained: Iterable[str] = ()) -> None:
        self._targets = targets
        self._rungs: dict[tuple[int, ...], Rungs] = {}
        self._trained = set(trained)
        for trial in told:
            competed = trial.user_attrs.get("competed")
            if competed:
                levels = tuple(competed["levels"])
                for rung, losses in enumerate(competed["losses"]):
                    self._of(levels).report(trial.number, rung, losses)

    def stopped(self, candidate: Candidate, result: Mapping[str, Any]) -> str | None:
        """Why the trial of ``candidate`` leaves after a level of its training, or None where it goes on.

        Args:
            candidate: Its training has come to ``result["epochs"]``, which is noted in its ``rungs``.
            result: The figures of the level.
        """
        levels = candidate.levels
        epochs, accuracy = int(result["epochs"]), result.get("accuracy")
        if accuracy is not None:
            candidate.rungs[epochs] = accuracy
        if accuracy is None or epochs == levels[-1]:
            return None
        next_level = candidate.tasks[candidate.position + 1].key
        if self._goes_on(candidate, epochs, result) or next_level in self._trained:
            self._trained.add(next_level)
            return None
        return f"others did better after {epochs} of {levels[-1]} epochs of training ({accuracy:.1%} there)"

    def _goes_on(self, candidate: Candidate, epochs: int, result: Mapping[str, Any]) -> bool:
        rung = len(candidate.competed)
        losses = self._losses(candidate, result)
        if losses is None or candidate.number is None or epochs != candidate.levels[rung]:
            return True
        candidate.competed.append(losses)
        return self._of(candidate.levels).report(candidate.number, rung, losses)

    def _of(self, levels: tuple[int, ...]) -> Rungs:
        if levels not in self._rungs:
            self._rungs[levels] = Rungs(levels)
        return self._rungs[levels]

    def _losses(self, candidate: Candidate, result: Mapping[str, Any]) -> list[float] | None:
        """What the candidate competes in; None where one of the objectives is not known.

        A constraint on a quantity that is not known yet counts as met: there are as many losses each time.
        """
        so_far = {name: result[name] for name in ("accuracy", "train_seconds") if name in result}
        so_far["accuracy_drop"] = self._targets.baseline["accuracy"] - so_far["accuracy"]
        columns = self._targets.of_measurement({**(candidate.speed or {}), **so_far})
        objectives = columns[: len(self._targets.objectives)]
        missed = [
            max(0.0, float(np.nan_to_num(violation)))
            for constraint, violation in zip(self._targets.constraints, columns[len(objectives) :], strict=True)
            if constraint.quantity in KNOWN_AFTER_TRAINING
        ]
        return [*objectives.tolist(), *missed] if np.isfinite(objectives).all() else None
