"""The race of a study: trials under training compete at rungs, and leave where they can be told not to win."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from search.candidate import Candidate
from search.lessons import TRAINED, Lessons
from search.rungs import Rungs


class Race:
    """Reports the trials of a study at each rung of their training.

    They compete in the losses of the objectives and in how far they miss a constraint that training decides. The
    accuracy is that of the network at the rung; speed and size are those of the screening, or where a candidate was
    not timed, what the sampler's model says of it. Where another trial shares the next level of the training and goes
    on, a trial goes on too: that costs no training, and its precision and its runtime have not had their say.

    Args:
        lessons: Turns figures into losses.
        told: The trials that an earlier driver has told, whose places at the rungs still count.
    """

    def __init__(self, lessons: Lessons, told: Sequence[FrozenTrial] = ()) -> None:
        self._lessons = lessons
        self._rungs: dict[tuple[int, ...], Rungs] = {}
        self._trained: set[str] = set()
        for trial in told:
            competed = trial.user_attrs.get("competed")
            if competed:
                levels = tuple(competed["levels"])
                for rung, losses in enumerate(competed["losses"]):
                    self._of(levels).report(trial.number, rung, losses)

    def stopped(
        self, candidate: Candidate, result: Mapping[str, Any], predicted: NDArray[np.float64] | None
    ) -> str | None:
        """Why the trial of ``candidate`` leaves after a level of its training, or None where it goes on.

        Args:
            candidate: Its training has come to ``result["epochs"]``, which is noted in its ``rungs``.
            result: The figures of the level.
            predicted: What the sampler expects of its columns; None where it has no model.
        """
        epochs, accuracy = int(result["epochs"]), result.get("accuracy")
        if accuracy is None:
            return None
        candidate.rungs[epochs] = accuracy
        levels = candidate.levels
        rung = len(candidate.competed)
        losses = self._losses(candidate, accuracy, predicted) if epochs == levels[rung] != levels[-1] else None
        if losses is None or candidate.number is None:
            return None
        candidate.competed.append(losses)
        goes_on = self._of(levels).report(candidate.number, rung, losses)
        next_level = candidate.tasks[candidate.position + 1].key
        if goes_on or next_level in self._trained:
            self._trained.add(next_level)
            return None
        return f"others did better after {epochs} of {levels[-1]} epochs of training ({accuracy:.1%} there)"

    def _of(self, levels: tuple[int, ...]) -> Rungs:
        return self._rungs.setdefault(levels, Rungs(levels))

    def _losses(
        self, candidate: Candidate, accuracy: float, predicted: NDArray[np.float64] | None
    ) -> list[float] | None:
        """What the candidate competes in; None where its speed is not known in any way."""
        drop = self._lessons.baseline["accuracy"] - accuracy
        figures = {**(candidate.speed or {}), "accuracy": accuracy, "accuracy_drop": drop}
        columns = self._lessons.columns(figures)
        if predicted is not None:
            columns = np.where(np.isnan(columns), predicted, columns)
        objectives = columns[: len(self._lessons.objectives)]
        missed = [
            max(0.0, float(violation))
            for constraint, violation in zip(self._lessons.constraints, columns[len(objectives) :], strict=True)
            if constraint.quantity in TRAINED and not np.isnan(violation)
        ]
        return [*objectives.tolist(), *missed] if np.isfinite(objectives).all() else None
