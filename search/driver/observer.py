"""The observer of a search."""

from collections.abc import Sequence
from typing import Protocol

from search.study.study import TrialRecord


class Observer(Protocol):
    """Who is told what happens: the progress display and the tracking, one after the other."""

    def stage_started(self, trial: int | None, stage: str) -> None:
        """A stage of ``trial`` was sent to the runner; None is a candidate that is timed untrained."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """It came back."""

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        """A trial was told to Optuna; ``front`` and ``hypervolume`` are those with it."""

    def note(self, text: str) -> None:
        """Something that a person should know."""
