"""The one process that owns a study: it asks, sends stages to a runner, and tells."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import optuna

from runners.measuring.measurement import figures_of, without_accuracy
from runners.runner import StageOutcome
from search.driver.candidate import TRAINING, Candidate
from search.driver.early_stopping import EarlyStopping
from search.driver.machine_baseline import MachineBaselines
from search.driver.screening import Screening
from search.driver.search_context import WAIT_S, SearchContext
from search.driver.time_limits import TimeLimits, final_measurement_s
from search.driver.timing_resolution import find_timing_resolution
from search.driver.trial_recorder import TrialRecorder
from search.driver.warm_start import EarlierStudy
from search.front.live_front import LiveFront
from search.objectives.constraint import without_unstable_timings
from search.objectives.trial_targets import TrialTargets
from search.samplers.distinct_sampler import DistinctSampler
from search.study.study import TrialRecord, record, records, timing_resolution
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

PATIENCE_S = 5.0
"""How long a stage may wait for its machine before a person is told."""
RECALLED = 500
"""Trials of an earlier driver whose trainings are known to be done."""
WAITING = 2
"""Candidates under way for each worker, at most: of those that wait for stages of others, a few are enough."""


class Driver:
    """Carries a study to its number of trials, or to its time.

    A free worker gets a candidate to time untrained where the `Screening` says that it pays, and else a trial. Two
    candidates that need one stage wait for one computation. At each rung of its training a trial competes, and is
    stopped where it can be told that it will not win. Trials that an earlier driver left running go on under their
    own numbers, so nothing is run or counted twice.

    Args:
        search: The study and what it needs.
        lessons: What is learnt of candidates; the study's sampler reads it.
        trials: How many trials the study shall have.
        timeout_s: After how long no further trial begins, or None.
        time_budget_s: How long the whole search may take; trials under way at its end are left. Or None.
    """

    def __init__(
        self,
        search: SearchContext,
        targets: TrialTargets,
        trials: int,
        *,
        timeout_s: float | None = None,
        time_budget_s: float | None = None,
    ) -> None:
        self._search = search
        self._study, self._runner, self._observer = search.study, search.runner, search.observer
        assert isinstance(search.study.sampler, DistinctSampler)
        self._sampler = search.study.sampler
        self._targets = targets
        self._trials = trials
        self._clock = TimeLimits(timeout_s, time_budget_s)
        self._earlier: Mapping[Configuration, Mapping[str, Any]] = {}
        self._under_way: dict[str, list[Candidate]] = {}
        known = search.study.get_trials(deepcopy=False)
        self._asked = len(known)
        told = [trial for trial in known if trial.state.is_finished()]  # what others have noted will be noted again
        self._targets.add_trials(told)
        self._screening = Screening(search.study, always=targets.has_constraint_before_training)
        self._screening.recall(told)
        self._machine_baselines = MachineBaselines(search.study)
        self._race = EarlyStopping(targets, told, self._trained(told))
        self._waited = False
        self._recorder = TrialRecorder(search, targets)
        self._front = self._front_so_far()

    def learn(self, earlier: EarlierStudy) -> None:
        """Take in what an earlier study knows."""
        self._earlier = earlier.figures
        if self._asked == 0:
            self._machine_baselines.inherit(earlier.baseline_minima)

    def run(self) -> None:
        """Run trials until the number, the time or the space is spent.

        Raises:
            WorkFailed: The baseline failed, so that there is nothing to compare with.
        """
        self._adopt()
        if self._asked == 0:
            self._ask()
        self._drain(until_idle=True)
        if not self._targets.baseline:
            raise WorkFailed(
                f"the baseline failed ({self._failure_of_baseline()}), so there is nothing to compare with"
            )
        if find_timing_resolution(self._search, self._machine_baselines):
            self._front = self._front_so_far()
        for configuration, known in self._earlier.items():
            self._sampler.learn(configuration, self._targets.of_measurement(known), looked_up=False)
        for configuration, figures in self._screening.all().items():
            self._learn_screened(configuration, figures)
        while self._fill() or self._under_way:
            self._drain(until_idle=False)

    def _front_so_far(self) -> LiveFront:
        """The front of what the study holds, with what is known of its resolution."""
        front = LiveFront(self._search.objectives, self._search.constraints, timing_resolution(self._study))
        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)):
            front.add(record(trial))
        return front

    def _adopt(self) -> None:
        """Go on with the trials that another driver left running."""
        for frozen in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            known = record(frozen).configuration
            self._start(trial, known or self._settle(trial))

    def _trained(self, told: Sequence[optuna.trial.FrozenTrial]) -> Iterator[str]:
        """Keys of the levels that the latest complete trials have trained."""
        for trial in told[-RECALLED:]:
            if trial.state is optuna.trial.TrialState.COMPLETE and "rungs" in trial.user_attrs:
                configuration = record(trial).configuration
                assert configuration is not None, "only a trial with choices is complete"
                yield from (t.key for t in self._search.chains.chain(configuration) if t.stage == TRAINING)

    def _fill(self) -> bool:
        """Give every free worker something to do; whether anything began."""
        begun = False
        while self._wanted() and self._has_room():
            timed = self._sampler.shortlist(self._study, 1) if self._screening.due() else []
            if timed:
                self._time_untrained(timed[0])
            else:
                self._ask()
            begun = True
        return begun

    def _has_room(self) -> bool:
        """Whether a worker is free. A candidate that waits for a stage of another one keeps none busy."""
        slots, candidates = self._runner.slots, sum(map(len, self._under_way.values()))
        return len(self._under_way) < slots and candidates < WAITING * slots

    def _wanted(self) -> bool:
        if self._asked >= self._trials or self._clock.too_late(self._screening.trial_s, self._final_measurement_s()):
            return False
        if self._sampler.exhausted():
            self._observer.note(f"every configuration of the space has been tried, after {self._asked} trials")
            self._trials = self._asked
        return self._asked < self._trials

    def _time_untrained(self, configuration: Configuration) -> None:
        tasks = self._search.chains.screening(configuration)
        self._screening.began()
        if tasks:
            self._send(Candidate(configuration, tasks, screened_by=len(tasks)))

    def _ask(self) -> None:
        self._screening.chose()
        self._sampler.weigh(self._screening.cost_ratio)
        trial = self._study.ask()
        self._asked += 1
        self._start(trial, self._settle(trial))

    def _settle(self, trial: optuna.Trial) -> Configuration:
        """Record the proposed configuration with the trial, before anything runs for it."""
        configuration = self._sampler.settle(trial)
        trial.set_user_attr("configuration", configuration.canonical())  # first: it is what a later driver goes on with
        if self._search.chains.space.contains(configuration):
            self._search.chains.space.draw(trial)
        return configuration

    def _start(self, trial: optuna.Trial, configuration: Configuration) -> None:
        chains = self._search.chains
        timed = self._screening.per_trial > 0 or self._screening.figures(configuration) is not None
        before = chains.screening(configuration) if timed else ()
        tasks = (*before, *chains.chain(configuration, screened=bool(before)))
        self._send(Candidate(configuration, tasks, trial, len(before)))

    def _send(self, candidate: Candidate) -> None:
        task = candidate.task
        self._observer.stage_started(candidate.number, task.stage)
        if task.key in self._under_way:
            self._under_way[task.key].append(candidate)
            return
        self._under_way[task.key] = [candidate]
        self._runner.submit(self._machine_baselines.informed(task))

    def _drain(self, *, until_idle: bool) -> None:
        """Take in what has ended: once, or until nothing is under way or the time for it is up."""
        while self._under_way:
            for task, outcome in self._runner.wait(WAIT_S):
                self._machine_baselines.learn(outcome)
                for candidate in self._under_way.pop(task.key):
                    self._advance(candidate, outcome)
                    outcome = replace(outcome, from_store=True)  # whoever waited for it beside the first
            if self._targets.baseline and self._clock.is_over(self._final_measurement_s()):
                self._abandon()
            if not until_idle:
                return

    def _advance(self, candidate: Candidate, outcome: StageOutcome) -> None:
        self._observer.stage_ended(candidate.number, candidate.task.stage, outcome.seconds, outcome.from_store)
        candidate.took(outcome)
        if outcome.waited_s > PATIENCE_S and not self._waited:
            self._waited = True
            self._observer.note(f"{candidate.task.stage} waited {outcome.waited_s:.0f} s for others on its machine")
        if candidate.trial is None and (outcome.failure or candidate.is_last):
            self._timed(candidate, outcome)
        elif outcome.failure is not None and candidate.position < candidate.screened_by:
            self._send_unscreened(candidate, outcome.failure)
        elif outcome.failure is not None:
            self._report(self._recorder.fail(candidate, outcome.failure), candidate)
        elif stopped := self._stopped(candidate, outcome):
            self._report(self._recorder.stop(candidate, stopped), candidate)
        elif candidate.was_screened and self._targets.first_violated(candidate.speed or {}):
            self._send_unscreened(candidate, outcome.result["unstable"])
        elif not candidate.is_last:
            candidate.position += 1
            self._send(candidate)
        else:
            self._finish(candidate, outcome.result)

    def _send_unscreened(self, candidate: Candidate, failure: str) -> None:
        """A candidate that cannot be timed untrained is trained all the same, and timed afterwards."""
        self._observer.note(f"trial {candidate.number} could not be timed before its training: {failure}")
        candidate.tasks = self._search.chains.chain(candidate.configuration)
        candidate.screened_by, candidate.position, candidate.speed = 0, 0, None
        self._send(candidate)

    def _abandon(self) -> None:
        """Leave what is under way, because the time is up; a driver that goes on takes it up."""
        self._runner.cancel()
        left, self._under_way = [one for many in self._under_way.values() for one in many], {}
        for candidate in left:
            self._observer.stage_ended(candidate.number, candidate.task.stage, 0.0, from_store=True)
        trials = sum(candidate.trial is not None for candidate in left)
        self._observer.note(f"the time is up, with {trials} trials under way; `frontrunner resume` takes them up")
        self._trials = self._asked

    def _final_measurement_s(self) -> float:
        return final_measurement_s(len(self._front.members), self._screening.measuring_s)

    def _timed(self, candidate: Candidate, outcome: StageOutcome) -> None:
        """A candidate was timed untrained: the sampler knows its speed now, or leaves it alone if that failed."""
        if outcome.failure:
            self._observer.note(f"a candidate could not be timed untrained and is left alone: {outcome.failure}")
            self._sampler.learn(candidate.configuration, None)
            return
        figures = without_accuracy(figures_of(outcome.result))
        self._screening.keep(candidate.configuration, figures, candidate.seconds)
        self._learn_screened(candidate.configuration, figures)

    def _learn_screened(self, configuration: Configuration, figures: Mapping[str, Any]) -> None:
        """The sampler goes by the speed even where it is in doubt, which must leave a bound open all the same."""
        columns, bounds = self._targets.of_measurement(figures), slice(len(self._targets.objectives), None)
        columns[bounds] = self._targets.of_measurement(without_unstable_timings(figures))[bounds]
        self._sampler.learn(configuration, columns)

    def _stopped(self, candidate: Candidate, outcome: StageOutcome) -> str | None:
        """Why the trial ends here, before its last stage, or None."""
        if candidate.was_screened:
            candidate.speed = without_accuracy(figures_of(outcome.result))
            missed = self._targets.first_violated(without_unstable_timings(candidate.speed))
            return f"not trained: it misses {missed} with {candidate.speed[missed.quantity]:.4g}" if missed else None
        if candidate.task.stage == TRAINING:
            return self._race.stopped(candidate, outcome.result)
        return None

    def _finish(self, candidate: Candidate, result: Mapping[str, Any]) -> None:
        try:
            done = self._recorder.complete(candidate, result)
        except ValueError as error:
            self._report(self._recorder.fail(candidate, f"measuring: {error}"), candidate)
            return
        self._targets.add_complete(done.number, done.measurement or {}, candidate.rungs)
        self._front.add(done)
        self._report(done, candidate)

    def _report(self, trial: TrialRecord, candidate: Candidate) -> None:
        self._screening.cost(candidate.seconds)
        seconds = time.monotonic() - candidate.begun
        self._observer.trial_ended(trial, self._front.members, self._front.hypervolume, seconds)

    def _failure_of_baseline(self) -> str:
        return next((t.failure for t in records(self._study) if t.number == 0 and t.failure), "it did not finish")
