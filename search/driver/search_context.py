"""What a search consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import optuna

from runners.chains.chain import Chains
from runners.metric import QualityMetric
from runners.runner import Runner, StageOutcome, StageTask
from search.driver.attempts import Attempts
from search.driver.observer import Observer
from search.objectives.constraint import Constraint
from search.objectives.objective import Objective

WAIT_S = 1.0
"""One wait for a stage to end takes at most this long, so that time limits are noticed."""


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
        resume: The command that goes on with the study.
    """

    study: optuna.Study
    runner: Runner
    chains: Chains
    objectives: Sequence[Objective]
    constraints: Sequence[Constraint]
    observer: Observer
    resume: str = "frontrunner resume"

    @property
    def metric(self) -> QualityMetric:
        """What an accuracy is."""
        return self.chains.facts.quality

    @cached_property
    def attempts(self) -> Attempts:
        """The runner, on which a stage whose process died is sent again."""
        return Attempts(self.runner, self.observer, self.resume)

    def run_alone(self, task: StageTask) -> StageOutcome:
        """The outcome of one stage on the runner, which has nothing else to do.

        Raises:
            MachineFailed: The stage failed because of the machine.
        """
        self.attempts.submit(task)
        while not (ended := self.attempts.wait(WAIT_S)):
            continue
        _, outcome = ended[0]
        return outcome
