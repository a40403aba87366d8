"""What a search consists of, and who watches it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import optuna

from runners.runner import Runner, StageOutcome, StageTask
from runners.stages.chain import Chains
from search.objectives.constraint import Constraint
from search.objectives.objective import Objective
from search.study.study import TrialRecord

WAIT_S = 1.0


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


def carry_out_alone(runner: Runner, task: StageTask) -> StageOutcome:
    """Send one stage to a ``runner`` that has nothing else to do, and wait for it."""
    runner.submit(task)
    while not (ended := runner.wait(WAIT_S)):
        continue
    return ended[0][1]


@dataclass(frozen=True)
class SearchContext:
    """What a driver and the final measurements need of a search.

    Attributes:
        study: Optuna's study with a `DistinctSampler`; this process is its only writer.
        runner: Carries out the stages.
        chains: Turns configurations into stages.
        objectives: What is optimised.
        constraints: What must hold.
        watcher: Is told what happens.
    """

    study: optuna.Study
    runner: Runner
    chains: Chains
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint]
    observer: Observer
