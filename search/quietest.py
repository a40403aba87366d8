"""How quiet each machine of a study was when it was at its quietest, gathered from all that was timed there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from runners.measuring.quiet import all_known
from runners.runner import StageTask

ATTRIBUTE = "quietest"
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
        return replace(task, known=self._known) if task.stage in BETTER_KNOWING else task

    def learn(self, result: Mapping[str, Any]) -> None:
        """Take in the ``result`` of a stage, which may have timed nothing."""
        if result.get("quiet"):
            self._known = all_known(self._known, result["quiet"])
            self._study.set_user_attr(ATTRIBUTE, self._known)
