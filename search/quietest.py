"""How quiet each machine of a study was when it was at its quietest, gathered from all that was timed there."""

from dataclasses import replace

import optuna

from runners.measuring.quiet import QuietByMachine, joined_by_machine
from runners.runner import StageOutcome, StageTask

ATTRIBUTE = "quiet"
BETTER_KNOWING = ("measuring", "comparing")
"""Stages whose results are surer for it. What the baseline differs from itself by is to be seen in pairs alone."""


class Quietest:
    """Tells measurements what those before them saw, and remembers it with the study.

    Args:
        study: Keeps it, so that a study that goes on need not find out again.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._known: dict[str, dict[str, float]] = dict(study.user_attrs.get(ATTRIBUTE, {}))

    def informed(self, task: StageTask) -> StageTask:
        """``task`` with what is known now, where it makes use of that."""
        return replace(task, quiet=self._known) if task.stage in BETTER_KNOWING else task

    def learn(self, outcome: StageOutcome) -> None:
        """Take in what a stage saw, if it timed anything; out of the store it adds no time to what is known."""
        seen = outcome.result.get("quiet", {})
        if outcome.from_store:
            seen = {machine: {**fields, "seconds": 0.0} for machine, fields in seen.items()}
        self.inherit(seen)

    def inherit(self, known: QuietByMachine) -> None:
        """Take in what an earlier study knows."""
        if known:
            self._known = joined_by_machine(self._known, known)
            self._study.set_user_attr(ATTRIBUTE, self._known)
