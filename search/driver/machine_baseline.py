"""The shortest time of the baseline on each machine of a study, gathered from all that was timed there."""

from dataclasses import replace

import optuna

from runners.measuring.deviation import BaselineMinima, merged_minima
from runners.runner import Runner, StageOutcome, StageTask
from search.driver.search_context import carry_out_alone

ATTRIBUTE = "baseline_minima"
BETTER_KNOWING = ("measuring", "comparing")
"""Stages whose results are surer for it. What the baseline differs from itself by is to be seen in pairs alone."""


class MachineBaselines:
    """Tells measurements what those before them saw, and remembers it with the study.

    Args:
        study: Keeps it, so that a study that goes on need not find out again.

    Attributes:
        known: What is known of each machine.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self.known: BaselineMinima = study.user_attrs.get(ATTRIBUTE, {})

    def informed(self, task: StageTask) -> StageTask:
        """``task`` with what is known now, where it makes use of that."""
        return replace(task, baseline_minima=self.known) if task.stage in BETTER_KNOWING else task

    def carry_out_alone(self, runner: Runner, task: StageTask) -> StageOutcome:
        """Send ``task``, informed, to a ``runner`` that has nothing else to do, and learn of its outcome."""
        outcome = carry_out_alone(runner, self.informed(task))
        self.learn(outcome)
        return outcome

    def learn(self, outcome: StageOutcome) -> None:
        """Take in what a stage saw, if it timed anything; out of the store it adds no time to what is known."""
        seen = outcome.result.get("baseline_minima", {})
        if outcome.from_store:
            seen = {machine: {**fields, "seconds": 0.0} for machine, fields in seen.items()}
        self.inherit(seen)

    def inherit(self, known: BaselineMinima) -> None:
        """Take in what an earlier study knows."""
        joined = merged_minima(self.known, known)
        if joined != self.known:
            self.known = joined
            self._study.set_user_attr(ATTRIBUTE, joined)
