"""The one process that owns a study: it asks for trials, has their stages carried out, and tells their results."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import Trial, TrialState

from runners.measuring.measurement import figures_of, without_accuracy
from search.driver.baseline import baseline_failed
from search.driver.earlier_trials import front_so_far, trained_levels
from search.driver.early_stopping import EarlyStopping
from search.driver.runs import Failed, Finished, NextStage, Run, ScreeningRun, Stopped, TrialRun, Unscreened
from search.driver.screening import Screening
from search.driver.search_context import SearchContext
from search.driver.shared_stages import SharedStages
from search.driver.stage_costs import StageCosts
from search.driver.time_limits import TimeLimits, final_measurement_s
from search.driver.trial_recorder import TrialRecorder
from search.driver.warm_start import EarlierStudy
from search.objectives.constraint import without_unstable_timings
from search.objectives.trial_targets import TrialTargets
from search.samplers.distinct_sampler import DistinctSampler
from search.study.attributes import CONFIGURATION, FAILURE
from search.study.study import TrialRecord, record, records
from spaces.configuration import Configuration


class Driver:
    """Carries a study to its number of trials, or to its time.

    A free worker gets a configuration to time untrained where `Screening` says that it pays, and else a trial. Runs
    that need the same stage wait for one computation. After its screening and at each rung of its training a trial is
    stopped where `EarlyStopping` says so. Trials that an earlier driver left running go on under their own numbers, so
    nothing is run or counted twice. Where the machine fails, all is left for a later driver; and so is a baseline that
    failed, since trial 0 has to be the baseline.

    Args:
        search: The study and what it needs; its sampler is a `DistinctSampler`.
        targets: Turns measurements into losses and constraint violations, for the sampler too.
        trials: How many trials the study shall have.
        timeout_s: After how long no further trial begins, or with ``everything`` none is measured; or None.
        time_budget_s: How long the whole search may take; trials under way at its end are left. Or None.
        earlier: What is known of an earlier study, where this one makes use of it.
        everything: Whether every configuration of the space is tried, however many trials that are.
    """

    def __init__(
        self,
        search: SearchContext,
        targets: TrialTargets,
        trials: int,
        *,
        timeout_s: float | None = None,
        time_budget_s: float | None = None,
        earlier: EarlierStudy | None = None,
        everything: bool = False,
    ) -> None:
        assert isinstance(search.study.sampler, DistinctSampler)
        self._search = search
        self._study, self._observer, self._sampler = search.study, search.observer, search.study.sampler
        self._targets = targets
        self._max_trials = trials
        self._limits = TimeLimits(timeout_s, time_budget_s)
        self._earlier = earlier or EarlierStudy()
        known = search.study.get_trials(deepcopy=False)
        ended = [trial for trial in known if trial.state.is_finished()]  # others are carried out again and count then
        self._asked = len(known)
        targets.add_trials(ended)
        self._costs = StageCosts()
        self._costs.recall(ended)
        self._screening = Screening(search.study, self._costs, always=targets.has_constraint_before_training)
        self._stopping = EarlyStopping(targets, ended, trained_levels(ended, search.chains))
        self._stages, self._everything = (
            SharedStages(search, everything=everything, too_late=self._limits.starts_have_ended),
            everything,
        )
        self._recorder = TrialRecorder(search, targets)
        self._front = front_so_far(search)
        self._baseline_failed = False

    def run(self) -> None:
        """Run trials until the number, the time or the space is spent.

        Raises:
            WorkFailed: The baseline failed, so that there is nothing to compare with.
            MachineFailed: The machine failed, such as where the disk of the stage store is full.
        """
        if self._asked == 0:
            self._start_trial()
        else:
            self._go_on_with_unfinished_trials()
        if self._everything:
            self._occupy_workers()  # all that others need is made beside the baseline, which is measured first
        while self._stages.under_way and not (self._everything and (self._targets.baseline or self._baseline_failed)):
            self._act_on_ended_stages()
        if not self._targets.baseline:
            self._stages.cancel()
            raise baseline_failed(self._failure_of_baseline(), self._search.resume)
        for configuration, figures in self._earlier.figures.items():
            self._sampler.observe(configuration, self._targets.of_measurement(figures), is_cheap=False)
        for configuration, figures in self._screening.figures().items():
            self._learn_speed(configuration, figures)
        while self._occupy_workers() or self._stages.under_way:
            self._act_on_ended_stages()
        if self._asked < self._max_trials and not self._limits.starts_have_ended():
            self._observer.note("no further trial could end in the time that was left")
        known = self._study.get_trials(deepcopy=False)
        if self._everything and self._sampler.exhausted() and all(trial.state.is_finished() for trial in known):
            self._observer.note(f"every configuration of the space has been tried, in {self._asked} trials")

    def _go_on_with_unfinished_trials(self) -> None:
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial = Trial(self._study, frozen._trial_id)
            if FAILURE in frozen.user_attrs:  # the baseline, which failed
                trial.set_user_attr(FAILURE, None)
            self._start(trial, record(frozen).configuration or self._choose(trial))

    def _failure_of_baseline(self) -> str:
        return next((t.failure for t in records(self._study) if t.number == 0 and t.failure), "it did not finish")

    def _occupy_workers(self) -> bool:
        """Give every free worker something to do; whether anything began."""
        began = False
        while self._wants_trial() and self._stages.has_room:
            configuration = self._sampler.propose_screening(self._study) if self._screening.is_due() else None
            if configuration is not None:
                self._start_screening(configuration)
            else:
                self._start_trial()
            began = True
        return began

    def _wants_trial(self) -> bool:
        """Whether a further trial is wanted, and can end in time."""
        if self._asked >= self._max_trials or self._is_too_late():
            return False
        if self._sampler.exhausted():
            if not self._everything:  # then they are all still under way
                self._observer.note(f"every configuration of the space has been tried, after {self._asked} trials")
            self._max_trials = self._asked
        return self._asked < self._max_trials

    def _is_too_late(self) -> bool:
        """Whether no trial can end in time. Where only a training would take too long, those without one go on."""
        final_s = self._final_measurement_s()
        if not self._limits.too_late(self._costs.trial_s, final_s):
            return False
        return self._limits.too_late(self._costs.screening_s, final_s) or not self._sampler.go_on_without_training(
            self._study
        )

    def _start_screening(self, configuration: Configuration) -> None:
        self._screening.screening_started()
        tasks = self._search.chains.screening(configuration)
        if tasks:
            self._stages.send(ScreeningRun(configuration, tasks))

    def _start_trial(self) -> None:
        self._screening.trial_started()
        self._sampler.set_cost_ratio(self._costs.ratio)
        if self._screening.per_trial:  # candidates are timed untrained: the sampler knows more than a list does
            self._sampler.leave_out_trainings()
        trial = self._study.ask()
        self._asked += 1
        self._start(trial, self._choose(trial))

    def _choose(self, trial: Trial) -> Configuration:
        """The configuration that the sampler proposes for ``trial``, recorded with it before anything runs for it."""
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        configuration = self._sampler.propose(self._study, frozen)
        trial.set_user_attr(CONFIGURATION, configuration.canonical())  # first: it is what a later driver goes on with
        space = self._search.chains.space
        if space.contains(configuration):
            space.draw(trial)  # records the parameters: the sampler gives those of its proposal
        return configuration

    def _start(self, trial: Trial, configuration: Configuration) -> None:
        screened = self._screening.has_figures(configuration) or (
            self._screening.per_trial > 0 and self._sampler.needs_training(configuration)
        )
        self._stages.send(TrialRun(trial, configuration, self._search.chains, screened=screened))

    def _act_on_ended_stages(self) -> None:
        """Wait until stages have ended, and let their runs go on.

        If the time is up then, leave all runs; where all began at once and none may begin any more, leave those whose
        measurement has not begun.
        """
        if not self._stages.under_way:
            return
        for run, outcome in self._stages.wait():
            if isinstance(run, ScreeningRun):
                self._advance_screening(run, run.follow(outcome))
            else:
                self._advance_trial(run, run.follow(outcome, self._stopping))
        if self._targets.baseline and self._limits.is_over(self._final_measurement_s()):
            self._leave(self._stages.cancel())
        elif self._targets.baseline and self._everything and self._limits.starts_have_ended():
            self._leave(self._stages.leave_alone())

    def _advance_screening(self, run: ScreeningRun, step: NextStage | Failed | Finished) -> None:
        match step:
            case NextStage():
                self._stages.send(run)
            case Failed(reason):
                self._observer.note(f"a candidate could not be timed untrained and is left alone: {reason}")
                self._sampler.exclude(run.configuration)
            case Finished(result):
                figures = without_accuracy(figures_of(result))
                self._screening.record(run, figures)
                self._learn_speed(run.configuration, figures)

    def _advance_trial(self, run: TrialRun, step: NextStage | Unscreened | Stopped | Failed | Finished) -> None:
        match step:
            case NextStage():
                self._stages.send(run)
            case Unscreened(reason):
                self._observer.note(f"trial {run.number} could not be timed before its training: {reason}")
                self._stages.send(run)
            case Stopped(reason):
                self._trial_ended(run, self._recorder.stop(run, reason))
            case Failed(reason):
                self._trial_failed(run, reason)
            case Finished(result):
                self._trial_finished(run, result)

    def _trial_finished(self, run: TrialRun, result: Mapping[str, Any]) -> None:
        try:
            complete = self._recorder.complete(run, result)
        except ValueError as error:
            self._trial_failed(run, f"measuring: {error}")
            return
        self._targets.add_complete(complete.number, complete.measurement or {}, run.training.accuracies)
        self._front.add(complete)
        self._trial_ended(run, complete)

    def _trial_failed(self, run: TrialRun, reason: str) -> None:
        if run.number == 0:
            self._baseline_failed = True
            self._recorder.note_failed_baseline(run, reason)
        else:
            self._trial_ended(run, self._recorder.fail(run, reason))

    def _trial_ended(self, run: TrialRun, trial: TrialRecord) -> None:
        self._costs.add(run.seconds)
        self._observer.trial_ended(trial, self._front.members, self._front.hypervolume, run.age_s)

    def _learn_speed(self, configuration: Configuration, figures: Mapping[str, Any]) -> None:
        """Let the sampler learn the figures of a screening: of an unstable one the losses, but no violations."""
        targets, violations = self._targets.of_measurement(figures), slice(len(self._targets.objectives), None)
        targets[violations] = self._targets.of_measurement(without_unstable_timings(figures))[violations]
        self._sampler.observe(configuration, targets)

    def _leave(self, runs: Sequence[Run]) -> None:
        """Tell of ``runs`` that they are left, because the time is up; a later driver goes on with them."""
        if not runs:
            return
        trials = sum(isinstance(run, TrialRun) for run in runs)
        self._observer.note(f"the time is up, with {trials} trials under way; `{self._search.resume}` takes them up")
        self._max_trials = self._asked

    def _final_measurement_s(self) -> float:
        return 0.0 if self._everything else final_measurement_s(len(self._front.members), self._costs.measuring_s)
