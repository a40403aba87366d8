"""The driver on a table with a known front: what it runs, what it records, and what it survives."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from search_tests.simulation import (
    CHOICES,
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    drive,
    make_chains,
    make_runner,
    measurement,
    open_table_study,
    table,
)

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.front.front import compute_front, least_infeasible
from search.front.front_document import front_document, trial_documents
from search.objectives.constraint import Constraint
from search.objectives.objective import find_objectives
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.starting_points import starting_points
from search.study.study import records
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

SIZE = 42  # of the table's space


def test_trial_0_is_the_baseline_and_nothing_is_run_twice() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 25)
    trials = records(study)
    assert trials[0].configuration == chains.space.baseline()
    assert [trial.number for trial in trials] == list(range(25))
    assert len({trial.configuration for trial in trials}) == 25
    assert all(trial.state == "complete" for trial in trials)


def test_a_search_that_tries_everything_finds_the_true_front_and_says_that_it_is_done() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    log = drive(study, make_runner(workers=4), chains, 500)
    everything = list(chains.space.configurations())
    assert len(everything) == SIZE
    assert len(records(study)) == SIZE
    assert any("every configuration" in note for note in log.notes)
    best = {c.canonical() for c in everything if not _dominated(c, everything)}
    found = {Configuration(member["configuration"]).canonical() for member in front_document(study)["front"]}
    assert found == best


def _dominated(one: Configuration, others: list[Configuration]) -> bool:
    a, s = table(one)["accuracy"], table(one)["speedup"]
    figures = [(table(other)["accuracy"], table(other)["speedup"]) for other in others]
    return any(x >= a and y >= s and (x > a or y > s) for x, y in figures)


def test_hypervolume_only_grows() -> None:
    chains = make_chains()
    log = drive(open_table_study(None, chains.space), make_runner(workers=3), chains, 30)
    assert log.volumes == sorted(log.volumes)
    assert log.volumes[-1] > 0.5


def test_candidates_that_share_a_stage_wait_for_one_computation() -> None:
    submitted: list[str] = []

    class Counting(SimulatedRunner):
        def submit(self, task: StageTask) -> None:
            submitted.append(task.key)
            super().submit(task)

    chains = make_chains()
    runner = Counting(MACHINE, FACTS, table, seconds=lambda task: 5.0 if task.stage == "teacher" else 1.0, workers=8)
    drive(open_table_study(None, chains.space), runner, chains, 20)
    under_way_twice = [key for key in submitted if submitted.count(key) > 1]
    assert len(submitted) > len(set(submitted)) or not under_way_twice
    assert runner.worked_s <= 5.0 + len(set(submitted))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_trial_that_measures_nonsense_fails_with_its_reason_and_the_search_goes_on(bad: float) -> None:
    def broken(configuration: Configuration) -> dict[str, object]:
        figures = dict(table(configuration))
        return {**figures, "speedup": bad} if configuration["runtime"] == "openvino" else figures

    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(of=broken), chains, 20)
    failed = [trial for trial in records(study) if trial.state == "failed"]
    assert failed
    assert all("speedup" in (trial.failure or "") and "finite" in (trial.failure or "") for trial in failed)
    assert all(t.configuration is not None and t.configuration["runtime"] == "openvino" for t in failed)
    assert len(records(study)) == 20
    assert all(
        trial.state is not optuna.trial.TrialState.COMPLETE for trial in study.trials if "failure" in trial.user_attrs
    )


@pytest.mark.parametrize("role", ["an objective", "a constraint"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("energy_mj", "was not measured on this machine"),
        ("latency_p99_ms", "is not known, as fewer than 1,000 calls were timed"),
    ],
)
def test_a_trial_lacking_a_figure_that_the_search_needs_fails_with_its_name_and_the_reason(
    name: str, reason: str, role: str
) -> None:
    def sometimes_measured(configuration: Configuration) -> Mapping[str, Any]:
        figures = table(configuration)
        return {**figures, name: None if configuration["runtime"] == "openvino" else 5.0 / figures["speedup"]}

    needed = {
        "an objective": ((*OBJECTIVES, *find_objectives([name])), ()),
        "a constraint": (OBJECTIVES, (Constraint.parse(f"{name}<=5"),)),
    }
    objectives, constraints = needed[role]
    chains = make_chains()
    study = optuna.create_study(
        directions=[objective.direction for objective in objectives],
        sampler=DistinctSampler(
            optuna.samplers.RandomSampler(0), chains.space, set(), starting_points(chains.space), seed=0
        ),
    )
    drive(study, make_runner(of=sometimes_measured), chains, 12, constraints, objectives=objectives)
    failed = [trial for trial in records(study) if trial.state == "failed"]
    assert 0 < len(failed) < 12
    assert {trial.failure for trial in failed} == {f"measuring: {name} {reason}, so it cannot be {role}"}
    assert all((trial.configuration or {})["runtime"] == "openvino" for trial in failed)


def test_a_stage_that_raises_fails_its_trial_alone() -> None:
    def raises(configuration: Configuration) -> dict[str, object]:
        if configuration["numeric_precision"] == "int8":
            raise RuntimeError("the runtime refused")
        return dict(table(configuration))

    chains = make_chains()
    study = open_table_study(None, chains.space)
    log = drive(study, make_runner(of=raises), chains, 20)
    failed = [trial for trial in log.ended if trial.state == "failed"]
    assert {trial.failure for trial in failed} == {"measuring: the runtime refused"}


def test_a_baseline_that_fails_ends_the_search_with_its_reason() -> None:
    def raises(configuration: Configuration) -> dict[str, object]:
        raise RuntimeError("no weights")

    chains = make_chains()
    with pytest.raises(WorkFailed, match=r"the baseline failed .*no weights"):
        drive(open_table_study(None, chains.space), make_runner(of=raises), chains, 20)


class Interrupted(SimulatedRunner):
    """Stands for a driver that is stopped in the middle."""

    left = 25

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().wait(timeout_s)


def test_an_interrupted_study_goes_on_without_running_or_counting_anything_twice(tmp_path: Path) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    with pytest.raises(KeyboardInterrupt):
        drive(study, Interrupted(MACHINE, FACTS, table, workers=3), chains, 20)
    before = records(study)
    running = [trial.number for trial in before if trial.state == "running"]
    assert running
    again = open_table_study(tmp_path, chains.space)
    drive(again, make_runner(workers=3), chains, 20)
    after = records(again)
    assert [trial.number for trial in after] == list(range(20))
    assert all(trial.state == "complete" for trial in after)
    assert [t.configuration for t in after[: len(before)]] == [t.configuration for t in before]
    assert len({trial.configuration for trial in after}) == 20
    third = open_table_study(tmp_path, chains.space)
    assert drive(third, make_runner(), chains, 20).ended == []


def test_a_trial_left_before_its_choices_were_recorded_is_drawn_again_in_place(tmp_path: Path) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    drive(study, make_runner(), chains, 5)
    study.ask()  # and the driver dies
    assert [trial["trial"] for trial in trial_documents(study)] == list(range(5)), "there is nothing to show of it yet"
    again = open_table_study(tmp_path, chains.space)
    drive(again, make_runner(), chains, 8)
    assert [trial.state for trial in records(again)] == ["complete"] * 8


def test_an_opened_study_does_not_repeat_its_proposals(tmp_path: Path) -> None:
    chains = make_chains()
    for trials in (6, 12, 18, 24):
        drive(open_table_study(tmp_path, chains.space), make_runner(), chains, trials)
    study = open_table_study(tmp_path, chains.space)
    assert len({trial.configuration for trial in records(study)}) == 24


def test_no_trial_begins_after_the_time_is_up() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 20, timeout_s=0.0)
    assert len(records(study)) == 1


def test_constraints_keep_infeasible_trials_off_the_front() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    bound = Constraint.parse("accuracy>=0.97")
    drive(study, make_runner(), chains, 30, [bound])
    complete = [trial for trial in records(study) if trial.state == "complete"]
    front, volume = compute_front(complete, OBJECTIVES, [bound])
    assert front
    assert volume > 0
    assert all((trial.measurement or {})["accuracy"] >= 0.97 for trial in front)
    assert any((trial.measurement or {})["accuracy"] < 0.97 for trial in complete)


def test_where_nothing_is_feasible_the_nearest_is_named() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    bound = Constraint.parse("speedup>=1000")
    drive(study, make_runner(), chains, 30, [bound])
    assert compute_front(records(study), OBJECTIVES, [bound]) == ([], 0.0)
    closest = least_infeasible(records(study), [bound]).measurement or {}
    assert closest["speedup"] == max(t.measurement["speedup"] for t in records(study) if t.measurement)


def test_a_baseline_outside_the_space_is_still_trial_0() -> None:
    chains = make_chains({**CHOICES, "runtime": ["openvino"]})
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 10)
    trials = records(study)
    assert trials[0].configuration is not None
    assert trials[0].configuration["runtime"] == "eager"
    assert {t.configuration["runtime"] for t in trials[1:] if t.configuration} == {"openvino"}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_any_sampler_of_optuna_can_propose(sampler: str) -> None:
    inner = {
        "tpe": optuna.samplers.TPESampler(seed=0, n_startup_trials=5, constant_liar=True),
        "nsga2": optuna.samplers.NSGAIISampler(seed=0, population_size=10),
        "random": optuna.samplers.RandomSampler(seed=0),
    }[sampler]
    chains = make_chains()
    study = open_table_study(None, chains.space, inner=inner)
    drive(study, make_runner(workers=2), chains, 40)
    assert len({trial.configuration for trial in records(study)}) == 40


def test_the_drop_in_accuracy_is_measured_from_the_baseline() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 12)
    base, *others = [trial.measurement or {} for trial in records(study)]
    assert base["accuracy_drop"] == 0
    assert all(other["accuracy_drop"] == pytest.approx(base["accuracy"] - other["accuracy"]) for other in others)


def test_final_measurements_decide_the_final_front() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    drive(study, make_runner(), chains, 20)
    searched = front_document(study)
    fast, second = searched["front"][0]["trial"], searched["front"][1]["trial"]
    finals = {
        "0": measurement(0.98, 1.0),
        str(fast): measurement(0.90, 1.5, accuracy_test=0.89),
        str(second): measurement(0.97, 5.0, accuracy_test=0.96),
    }
    study.set_user_attr("final", finals)
    document = front_document(study)
    assert [member["trial"] for member in document["front"]] == [second, 0]
    assert document["front"][0]["measurement"]["accuracy_test"] == 0.96
    assert document["front"][0]["searched"]["speedup"] == searched["front"][1]["measurement"]["speedup"]


def test_the_log_of_the_tests_sees_every_trial() -> None:
    chains = make_chains()
    log = Log()
    drive(open_table_study(None, chains.space), make_runner(workers=4), chains, 15, log=log)
    assert sorted(trial.number for trial in log.ended) == list(range(15))
    assert {stage for _, stage in log.stages} >= {"teacher", "lowering", "measuring", "training"}


def test_a_study_is_calibrated_once_before_the_first_candidate() -> None:
    chains, runner = make_chains(), Coarse(MACHINE, FACTS, table)
    study = open_table_study(None, chains.space)
    log = drive(study, runner, chains, 6)
    assert log.stages.index((0, "calibrating")) < min(place for place, stage in enumerate(log.stages) if stage[0] == 1)
    assert front_document(study)["resolution"] == 0.05
    again = drive(study, runner, chains, 8)
    assert "calibrating" not in {stage for _, stage in again.stages}


def test_a_calibration_that_fails_is_told_and_done_anew_when_the_search_goes_on() -> None:
    chains, runner = make_chains(), Coarse(MACHINE, FACTS, table)
    runner.failure = "calibrating: was killed"
    study = open_table_study(None, chains.space)
    log = drive(study, runner, chains, 4)
    assert any("calibrating: was killed" in note for note in log.notes)
    document = front_document(study)
    assert (document["resolution"], document["resolution_doubt"]) == (None, "calibrating: was killed")
    assert len(log.ended) == 4
    runner.failure = None
    drive(study, runner, chains, 4)
    assert (front_document(study)["resolution"], front_document(study)["resolution_doubt"]) == (0.05, "")


def test_a_calibration_that_cannot_be_trusted_is_done_anew_when_the_search_goes_on() -> None:
    chains, runner = make_chains(), Coarse(MACHINE, FACTS, table)
    study = open_table_study(None, chains.space)
    runner.doubt = "the machine was busy"
    drive(study, runner, chains, 4)
    assert front_document(study)["resolution_doubt"] == "the machine was busy"
    runner.doubt, runner.failure = "", "calibrating: was killed"
    drive(study, runner, chains, 4)
    assert (front_document(study)["resolution"], front_document(study)["resolution_doubt"]) == (0.05, runner.failure)
    runner.failure = None
    drive(study, runner, chains, 4)
    assert (front_document(study)["resolution"], front_document(study)["resolution_doubt"]) == (0.05, "")
    assert len(set(runner.keys)) == 3, "a stored result would be found again"


class Coarse(SimulatedRunner):
    """A machine on which differences below 5 % are not believed, or whose calibration fails or is in doubt."""

    failure: str | None = None
    doubt = ""
    keys: tuple[str, ...] = ()

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        if task.stage != "calibrating":
            return super()._simulate(task)
        self.keys += (task.key,)
        figures = {"threads": 1, "by_threads": {}, "tuned": False, "resolution": 0.05, "unstable": self.doubt}
        result = {} if self.failure else figures
        return StageOutcome(result, 1.0, failure=self.failure), 1.0


class Crowded(SimulatedRunner):
    """A machine on which other programs measure."""

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        outcome, takes = super()._simulate(task)
        return replace(outcome, waited_s=35.0 if task.stage == "lowering" else 1.0), takes


def test_a_stage_that_waited_long_for_another_program_is_told() -> None:
    chains = make_chains()
    log = drive(open_table_study(None, chains.space), Crowded(MACHINE, FACTS, table), chains, 2)
    assert log.notes == ["lowering waited 35 s for others on its machine"], "once is enough"
