"""A candidate under way: a trial, or a configuration that is timed untrained so that a trial can be chosen."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna

from runners.runner import StageOutcome, StageTask
from spaces.configuration import Configuration

TRAINING = "training"


@dataclass
class Candidate:
    """What the driver knows of a candidate while its stages run.

    Attributes:
        configuration: Its choices.
        tasks: Its stages: those of the screening first, where it is screened, then those of the trained chain.
        trial: Optuna's live trial; None where it is timed and nothing more.
        screened_by: Number of the screening's stages among ``tasks``.
        position: Which of ``tasks`` runs now.
        speed: The figures of its screening, once they are there.
        rungs: Its accuracy on the validation split by the epochs trained, as far as it has come.
        competed: The losses with which it competed at each of them.
        seconds: What its stages took by their names, without those that came out of the store.
        begun: When it was asked for, on the monotonic clock.
    """

    configuration: Configuration
    tasks: tuple[StageTask, ...]
    trial: optuna.Trial | None = None
    screened_by: int = 0
    position: int = 0
    speed: Mapping[str, Any] | None = None
    rungs: dict[int, float] = field(default_factory=dict)
    competed: list[list[float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    begun: float = field(default_factory=time.monotonic)

    @property
    def task(self) -> StageTask:
        """The stage that runs now."""
        return self.tasks[self.position]

    @property
    def number(self) -> int | None:
        """The trial's number; None where it is none."""
        return None if self.trial is None else self.trial.number

    @property
    def was_screened(self) -> bool:
        """Whether the stage that runs now is the last one of its screening."""
        return self.position + 1 == self.screened_by

    @property
    def is_last(self) -> bool:
        """Whether no stage comes after the one that runs now."""
        return self.position + 1 == len(self.tasks)

    @property
    def levels(self) -> tuple[int, ...]:
        """The epochs after which the levels of its training end; empty where nothing is trained."""
        return tuple(task.settings["to_epoch"] for task in self.tasks if task.stage == TRAINING)

    def took(self, outcome: StageOutcome) -> None:
        """Count what the stage that runs now has taken."""
        if not outcome.from_store:
            self.seconds[self.task.stage] += outcome.seconds
