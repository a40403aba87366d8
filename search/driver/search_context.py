"""What a search consists of, and the observer of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import optuna

from runners.runner import Runner, StageOutcome, StageTask
from runners.stages.chain import Chains
from search.driver.machine_baseline import MachineBaselines
from search.objectives.constraint import Constraint
from search.objectives.objective import Objective
from search.study.study import TrialRecord

WAIT_S = 1.0
"""One wait for a stage to end takes at most this long, so that time limits are noticed."""


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


@dataclass(frozen=True)
class SearchContext:
    """What a driver and the final measurements need of a search.

    Attributes:
        study: Optuna's study with a `DistinctSampler`; this process is its only writer.
        runner: Carries out the stages.
        chains: Turns configurations into stages.
        objectives: What is optimised.
        constraints: What must hold.
        observer: Is told what happens.
    """

    study: optuna.Study
    runner: Runner
    chains: Chains
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint]
    observer: Observer

    @cached_property
    def baselines(self) -> MachineBaselines:
        """The shortest baseline times known in the study."""
        return MachineBaselines(self.study)

    def run_alone(self, task: StageTask) -> StageOutcome:
        """The outcome of one stage on the runner, which has nothing else to do."""
        self.runner.submit(self.baselines.inform(task))
        while not (ended := self.runner.wait(WAIT_S)):
            continue
        _, outcome = ended[0]
        self.baselines.learn(outcome)
        return outcome
