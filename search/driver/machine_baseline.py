"""The shortest time of the baseline on each machine of a study, gathered from all that was timed there."""

from dataclasses import replace

import optuna

from runners.measuring.deviation import BaselineMinima, merged_minima
from runners.runner import StageOutcome, StageTask
from search.study.attributes import BASELINE_MINIMA

INFORMED_STAGES = ("measuring", "comparing")
"""The stages that make use of them. Timing the baseline against itself does not: it compares single pairs."""


class MachineBaselines:
    """The shortest baseline times known so far: learnt from measurements, and passed on to those after them.

    Args:
        study: Keeps them, so that a study that goes on need not find out again.

    Attributes:
        minima: The shortest time known of the baseline, by machine.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self.minima: BaselineMinima = study.user_attrs.get(BASELINE_MINIMA, {})

    def inform(self, task: StageTask) -> StageTask:
        """``task`` with the minima known now, where it makes use of them."""
        return replace(task, baseline_minima=self.minima) if task.stage in INFORMED_STAGES else task

    def learn(self, outcome: StageOutcome) -> None:
        """Take in the minima that a stage found, if it timed anything; one from the store adds no seconds of timing."""
        found = outcome.result.get("baseline_minima", {})
        if outcome.from_store:
            found = {machine: {**fields, "seconds": 0.0} for machine, fields in found.items()}
        self.merge(found)

    def merge(self, minima: BaselineMinima) -> None:
        """Take in minima that were found before or elsewhere."""
        merged = merged_minima(self.minima, minima)
        if merged != self.minima:
            self.minima = merged
            self._study.set_user_attr(BASELINE_MINIMA, merged)
