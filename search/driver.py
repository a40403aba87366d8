"""The one process that owns a study: it asks, sends stages to a runner, and tells."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import optuna

from runners.measuring.measurement import Measurement, figures_of
from runners.runner import Runner, StageOutcome, StageTask
from runners.stages.chain import Chains
from search.constraints import Constraint
from search.distinct_sampler import DistinctSampler
from search.front import front_of
from search.objectives import Objective
from search.study import TrialRecord, believable, record, records
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

WAIT_S = 1.0


class Watcher(Protocol):
    """Who is told what happens: the progress display and the tracking, one after the other."""

    def stage_started(self, trial: int, stage: str) -> None:
        """A stage of ``trial`` was sent to the runner."""

    def stage_ended(self, trial: int, stage: str, seconds: float, from_store: bool) -> None:
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


@dataclass
class Candidate:
    """A trial under way.

    Attributes:
        trial: Optuna's live trial.
        configuration: Its choices.
        tasks: Its chain.
        position: Which of them runs now.
        begun: When it was asked for, on the monotonic clock.
    """

    trial: optuna.Trial
    configuration: Configuration
    tasks: tuple[StageTask, ...]
    position: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def task(self) -> StageTask:
        """The stage that runs now."""
        return self.tasks[self.position]


class Driver:
    """Carries a study to its number of trials, or to its time.

    Two candidates that need one stage wait for one computation. Trials that an earlier driver left running go
    on under their own numbers, so nothing is run or counted twice.

    Args:
        study: Optuna's study with a `DistinctSampler`; this process is its only writer.
        runner: Carries out the stages.
        chains: Turns configurations into stages.
        objectives: What is optimised.
        constraints: What must hold.
        watcher: Is told what happens.
        trials: How many trials the study shall have.
        timeout_s: After how long no further trial begins, or None.
    """

    def __init__(
        self,
        study: optuna.Study,
        runner: Runner,
        chains: Chains,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        watcher: Watcher,
        trials: int,
        timeout_s: float | None = None,
    ) -> None:
        self._study = study
        assert isinstance(study.sampler, DistinctSampler)
        self._sampler = study.sampler
        self._runner = runner
        self._chains = chains
        self._objectives = objectives
        self._constraints = constraints
        self._watcher = watcher
        self._trials = trials
        self._deadline = time.monotonic() + timeout_s if timeout_s is not None else None
        self._under_way: dict[str, list[Candidate]] = {}
        self._complete = [trial for trial in records(study) if trial.state == "complete"]
        self._resolution = believable(study)
        self._asked = len(study.get_trials(deepcopy=False))

    def run(self) -> None:
        """Run trials until the number, the time or the space is spent.

        Raises:
            WorkFailed: The baseline failed, so that there is nothing to compare with.
        """
        self._adopt()
        if self._asked == 0:
            self._ask()
        self._drain(until_idle=True)
        if not self._baseline():
            raise WorkFailed(
                f"the baseline failed ({self._failure_of_baseline()}), so there is nothing to compare with"
            )
        self._calibrate()
        while self._ask_while_useful() or self._under_way:
            self._drain(until_idle=False)

    def _calibrate(self) -> None:
        """Find out once how small a difference may be believed on this machine, and keep it with the study."""
        if "calibration" in self._study.user_attrs:
            return
        self._watcher.stage_started(0, "calibrating")
        outcome = carry_out_alone(self._runner, self._chains.calibrating(self._study.study_name))
        self._watcher.stage_ended(0, "calibrating", outcome.seconds, outcome.from_store)
        if outcome.failure:
            self._watcher.note(f"how small a difference may be believed is not known: {outcome.failure}")
            return
        self._study.set_user_attr("calibration", dict(outcome.result))
        self._resolution = believable(self._study)

    def _adopt(self) -> None:
        """Go on with the trials that another driver left running."""
        for frozen in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            known = record(frozen).configuration
            self._start(trial, known or self._settle(trial))

    def _ask_while_useful(self) -> bool:
        """Ask for as many trials as the runner has slots for; whether any was asked."""
        asked = False
        while self._wanted() and sum(map(len, self._under_way.values())) < self._runner.slots:
            self._ask()
            asked = True
        return asked

    def _wanted(self) -> bool:
        if self._asked >= self._trials or (self._deadline is not None and time.monotonic() >= self._deadline):
            return False
        if self._sampler.exhausted():
            self._watcher.note(f"every configuration of the space has been tried, after {self._asked} trials")
            self._trials = self._asked
        return self._asked < self._trials

    def _ask(self) -> None:
        trial = self._study.ask()
        self._asked += 1
        self._start(trial, self._settle(trial))

    def _settle(self, trial: optuna.Trial) -> Configuration:
        """Record the proposed configuration with the trial, before anything runs for it."""
        configuration = self._sampler.settle(trial)
        trial.set_user_attr("configuration", configuration.canonical())
        if self._chains.space.contains(configuration):
            self._chains.space.draw(trial)
        return configuration

    def _start(self, trial: optuna.Trial, configuration: Configuration) -> None:
        self._send(Candidate(trial, configuration, self._chains.chain(configuration)))

    def _send(self, candidate: Candidate) -> None:
        task = candidate.task
        self._watcher.stage_started(candidate.trial.number, task.stage)
        if task.key in self._under_way:
            self._under_way[task.key].append(candidate)
            return
        self._under_way[task.key] = [candidate]
        self._runner.submit(task)

    def _drain(self, *, until_idle: bool) -> None:
        """Take in what has ended: once, or until nothing is under way."""
        while self._under_way:
            for task, outcome in self._runner.wait(WAIT_S):
                for candidate in self._under_way.pop(task.key):
                    self._advance(candidate, outcome)
            if not until_idle:
                return

    def _advance(self, candidate: Candidate, outcome: StageOutcome) -> None:
        number = candidate.trial.number
        self._watcher.stage_ended(number, candidate.task.stage, outcome.seconds, outcome.from_store)
        if outcome.failure is not None:
            self._fail(candidate, outcome.failure)
        elif candidate.position + 1 < len(candidate.tasks):
            candidate.position += 1
            self._send(candidate)
        else:
            self._finish(candidate, outcome.result)

    def _finish(self, candidate: Candidate, result: Mapping[str, Any]) -> None:
        try:
            measurement = self._measurement(result)
            self._require_measured(measurement)
            values = [float(getattr(measurement, objective.name)) for objective in self._objectives]
        except ValueError as error:
            self._fail(candidate, f"measuring: {error}")
            return
        figures, trial = measurement.to_json(), candidate.trial
        trial.set_user_attr("measurement", figures)
        trial.set_user_attr("stages", {task.stage: task.key for task in candidate.tasks})
        for constraint in self._constraints:
            trial.set_constraint(str(constraint), constraint.violation(figures))
        self._study.tell(trial, values)
        done = TrialRecord(trial.number, "complete", candidate.configuration, figures)
        self._complete.append(done)
        self._report(done, candidate)

    def _require_measured(self, measurement: Measurement) -> None:
        """Raise `ValueError` where an objective or a constraint needs a quantity that this machine did not give."""
        roles = {constraint.quantity: "a constraint" for constraint in self._constraints}
        for name, role in {**roles, **{objective.name: "an objective" for objective in self._objectives}}.items():
            if getattr(measurement, name) is None:
                raise ValueError(f"{name} was not measured on this machine, so it cannot be {role}")

    def _measurement(self, result: Mapping[str, Any]) -> Measurement:
        measurement = Measurement.from_json(figures_of(result))
        baseline = self._baseline()
        reference = (baseline.measurement or {})["accuracy"] if baseline else measurement.accuracy
        return replace(measurement, accuracy_drop=reference - measurement.accuracy)

    def _fail(self, candidate: Candidate, failure: str) -> None:
        candidate.trial.set_user_attr("failure", failure)
        self._study.tell(candidate.trial, state=optuna.trial.TrialState.FAIL)
        self._report(TrialRecord(candidate.trial.number, "failed", candidate.configuration, failure=failure), candidate)

    def _report(self, trial: TrialRecord, candidate: Candidate) -> None:
        front, volume = front_of(self._complete, self._objectives, self._constraints, resolution=self._resolution)
        self._watcher.trial_ended(trial, front, volume, time.monotonic() - candidate.begun)

    def _baseline(self) -> TrialRecord | None:
        return next((trial for trial in self._complete if trial.number == 0), None)

    def _failure_of_baseline(self) -> str:
        return next((t.failure for t in records(self._study) if t.number == 0 and t.failure), "it did not finish")
