"""A search that runs out of time: what still begins, what is left, and what is told of it."""

from functools import partial
from pathlib import Path

import optuna
import pytest
from search_tests.simulation import (
    FACTS,
    MACHINE,
    Recording,
    drive,
    make_chains,
    make_runner,
    open_table_study,
    table,
    training_only,
)

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.driver.time_limits import FINAL_MEASUREMENT_EACH_S, FINAL_MEASUREMENT_S, TimeLimits, final_measurement_s
from search.front.front_document import front_document
from search.samplers.factory import training_key
from search.study.study import records


class Clock:
    """Shows what it is set to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_without_a_limit_it_is_never_too_late(clock: Clock) -> None:
    limits = TimeLimits(None, None, clock)
    clock.now = 1e12
    assert not limits.too_late(1e12, 1000)
    assert not limits.is_over(1000)


def test_after_the_timeout_nothing_begins_and_what_is_under_way_ends(clock: Clock) -> None:
    limits = TimeLimits(60.0, None, clock)
    clock.now = 1059.9
    assert not limits.too_late(1e6, 3), "how long it takes does not matter"
    clock.now = 1060.0
    assert limits.too_late(0.0, 0)
    assert not limits.is_over(3)


def test_a_budget_keeps_time_for_the_last_measurements(clock: Clock) -> None:
    limits = TimeLimits(None, 100.0, clock)
    clock.now = 1100.0 - FINAL_MEASUREMENT_S - 4 * FINAL_MEASUREMENT_EACH_S - 0.1
    assert not limits.is_over(final_measurement_s(3, 0.0))
    assert limits.is_over(final_measurement_s(4, 0.0)), "each member of the front takes its time"
    assert limits.is_over(final_measurement_s(3, 10.0)), "as long as measuring takes in this study"
    clock.now += 0.1
    assert limits.is_over(final_measurement_s(3, 0.0))
    assert not limits.is_over(final_measurement_s(2, 0.0))


def test_within_a_budget_no_trial_begins_that_cannot_end(clock: Clock) -> None:
    limits = TimeLimits(None, 100.0, clock)
    assert not limits.too_late(80.0, 20.0)
    assert limits.too_late(80.1, 20.0)
    assert limits.too_late(80.0, 20.1)


def test_whichever_limit_comes_first_counts(clock: Clock) -> None:
    limits = TimeLimits(30.0, 1000.0, clock)
    clock.now = 1030.0
    assert limits.too_late(0.0, 0)
    assert not limits.is_over(0)


@pytest.mark.parametrize("budget", [0.0, -5.0])
def test_without_any_time_there_is_the_baseline_alone(budget: float) -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(workers=3), chains, 20, time_budget_s=budget)
    assert [(trial.number, trial.state) for trial in records(study)] == [(0, "complete")]
    assert [member["trial"] for member in front_document(study)["front"]] == [0]


def test_what_is_under_way_at_the_end_of_the_budget_is_left_and_taken_up_by_the_next_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    runner = make_runner(workers=3, seconds=training_only)
    monkeypatch.setattr("search.driver.driver.TimeLimits", partial(TimeLimits, clock=lambda: runner.clock_s))
    log = drive(study, runner, chains, 30, time_budget_s=60.0)
    trials = records(study)
    left = [trial.number for trial in trials if trial.state == "running"]
    assert left
    assert {trial.state for trial in trials} == {"complete", "running"}
    assert len(trials) < 30
    assert f"the time is up, with {len(left)} trials under way; `frontrunner resume` takes them up" in log.notes
    assert not set(left) & {member["trial"] for member in front_document(study)["front"]}
    assert runner.clock_s <= 60.0
    assert runner.wait(1.0) == [], "nothing is under way any more"
    drive(study, make_runner(workers=3), chains, len(trials) + 3)
    assert [trial.state for trial in records(study)] == ["complete"] * (len(trials) + 3)
    assert [t.configuration for t in records(study)[: len(trials)]] == [t.configuration for t in trials]
    assert not study.get_trials(states=[optuna.trial.TrialState.RUNNING])


def test_when_no_training_can_end_any_more_what_is_trained_is_tried_in_other_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    runner = Recording(MACHINE, FACTS, table, seconds=lambda task: 100.0 if task.stage == "training" else 1.0)
    monkeypatch.setattr("search.driver.driver.TimeLimits", partial(TimeLimits, clock=lambda: runner.clock_s))
    log = drive(study, runner, chains, 100, time_budget_s=350.0)
    keys = [training_key(chains.space, c) for trial in records(study) if (c := trial.configuration) is not None]
    trained = [key for key in dict.fromkeys(keys) if key is not None]
    assert len(trained) == 2, "a third would end too late"
    assert len(keys) > keys.index(trained[1]) + 4
    assert runner.clock_s < 350.0
    assert log.notes == ["no further trial could end in the time that was left"]


def test_what_is_under_way_at_the_timeout_ends_and_nothing_begins_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    runner = make_runner(seconds=training_only)
    monkeypatch.setattr("search.driver.driver.TimeLimits", partial(TimeLimits, clock=lambda: runner.clock_s))
    drive(study, runner, chains, 30, timeout_s=35.0)
    assert {trial.state for trial in records(study)} == {"complete"}
    assert 3 < len(records(study)) < 30
    assert 35.0 <= runner.clock_s < 35.0 + 12.0, "the last trial takes eleven seconds at most"


class Interrupted(SimulatedRunner):
    """Stands for a driver that is stopped while a network trains."""

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        if self.clock_s > 20 and "training" in {task.stage for _, _, task, _ in self._under_way}:
            raise KeyboardInterrupt
        return super().wait(timeout_s)


def test_trials_that_an_earlier_driver_left_running_keep_to_the_budget_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    first = Interrupted(MACHINE, FACTS, table, workers=2, seconds=training_only)
    with pytest.raises(KeyboardInterrupt):
        drive(study, first, chains, 30)
    left = [trial.number for trial in records(study) if trial.state == "running"]
    assert left
    runner = make_runner(workers=2, seconds=training_only)
    monkeypatch.setattr("search.driver.driver.TimeLimits", partial(TimeLimits, clock=lambda: runner.clock_s))
    again = open_table_study(tmp_path, chains.space)
    drive(again, runner, chains, 30, time_budget_s=5.0)
    trials = {trial.number: trial for trial in records(again)}
    assert {trials[number].state for number in left} == {"running"}
    assert max(trials) == max(left)
