"""Screening in a search: where training is expensive, candidates are timed untrained, and few of them are trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest
from search_tests.simulation import (
    FACTS,
    MACHINE,
    Log,
    Recording,
    drive,
    make_chains,
    open_table_study,
    table,
)

from runners.chains.chain import Chains
from runners.runner import StageTask
from search.driver.screening import MAX_PER_TRIAL, MAX_SHARE_OF_TRAINING, Screening
from search.driver.stage_costs import SCREENING_STAGES, StageCosts
from search.objectives.constraint import Constraint
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.ehvi_sampler import EHVISampler
from search.samplers.factory import training_key
from search.samplers.starting_points import starting_points
from search.study.study import records
from spaces.axis import Axis
from spaces.configuration import Configuration, Scalar
from spaces.model_context import ModelContext
from spaces.search_space import SearchSpace
from spaces.technique import Parameter, Stage, Technique

LARGE = {
    "student_width": [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1],
    "channel_pruning": [0.0, 0.2, 0.4, 0.6],
    "numeric_precision": "all",
    "runtime": "all",
}


def training_takes(training_s: float) -> Any:
    """Seconds of a stage where each but the training takes a tenth of one."""
    return lambda task: training_s if task.stage == "training" else 0.1


def recording(seconds: Any, of: Any = table) -> Recording:
    return Recording(MACHINE, FACTS, of, seconds=seconds)


def kept(study: optuna.Study) -> dict[str, dict[str, Any]]:
    """What the study keeps of each candidate that was timed, by its configuration."""
    blocks = [block for name, block in study.user_attrs.items() if name.startswith("screened:")]
    documents = [document for block in blocks for document in block]
    found = {document["configuration"]: document for document in documents}
    assert len(found) == len(documents), "a candidate was timed twice"
    return found


def timed_before_each_trial(log: Log) -> list[int]:
    """How many candidates were timed before each trial began."""
    counts, begun = [0], set()
    for trial, stage in log.stages:
        if trial is None:
            counts[-1] += stage == "measuring"
        elif trial not in begun and stage != "calibrating":
            begun.add(trial)
            counts.append(0)
    return counts[:-1]


def test_where_training_is_expensive_candidates_are_timed_untrained_for_a_share_of_its_time() -> None:
    chains = make_chains(LARGE)
    runner = recording(training_takes(10.0))
    study = open_table_study(None, chains.space)
    log = drive(study, runner, chains, 30)
    assert len(log.ended) == 30
    assert {stage for trial, stage in log.stages if trial is None} <= {"teacher", *SCREENING_STAGES}
    counts = timed_before_each_trial(log)
    assert sum(counts) > 30
    assert max(counts) <= MAX_SHARE_OF_TRAINING * 10.0 / 0.2  # lowering and measuring are the least that it takes
    trained = {configuration.canonical() for configuration in runner.trained()}
    assert len(set(kept(study)) - trained) > 30, "most of them are never trained"


def test_at_most_so_many_are_timed_for_one_that_is_trained() -> None:
    chains = make_chains(LARGE)
    log = drive(open_table_study(None, chains.space), recording(training_takes(1e6)), chains, 40)
    counts = timed_before_each_trial(log)
    assert max(counts) <= MAX_PER_TRIAL
    assert sum(counts) > MAX_PER_TRIAL / 2, "nearly every candidate of the space was timed"


@pytest.mark.parametrize(("training_s", "left"), [(10.0, 0), (0.1, 2)])
def test_where_training_is_expensive_what_to_train_after_the_first_is_left_to_the_sampler(
    training_s: float, left: int
) -> None:
    chains = make_chains()
    points = [p for p in starting_points(chains.space) if training_key(chains.space, p) is not None]
    study = open_table_study(None, chains.space)
    drive(study, recording(training_takes(training_s)), chains, 8)
    begun = [trial.configuration for trial in records(study)]
    assert points[0] in begun
    assert len(set(points[1:]) & set(begun)) == left


def test_what_is_trained_is_tried_with_other_runtimes_without_timing_it_first() -> None:
    chains = make_chains()
    runner = recording(training_takes(50.0))
    study = open_table_study(None, chains.space)
    drive(study, runner, chains, 12)
    tried = [trial.configuration for trial in records(study) if trial.configuration is not None]
    keys = [training_key(chains.space, configuration) for configuration in tried]
    again = {tried[i].canonical() for i, key in enumerate(keys) if key is not None and key in keys[:i]}
    assert len(again) >= 4
    assert not again & {task.configuration for task in runner.submitted if task.stage == "settling"}


def test_where_training_is_cheap_nothing_is_timed_untrained() -> None:
    chains = make_chains()
    log = drive(open_table_study(None, chains.space), recording(training_takes(0.1)), chains, 25)
    assert None not in {trial for trial, _ in log.stages}
    assert "settling" not in {stage for _, stage in log.stages}


@pytest.mark.parametrize(
    ("training", "timing", "expected"), [(100.0, 0.5, 100), (100.0, 100.0, 0), (3.0, 0.5, 3), (1e9, 0.5, MAX_PER_TRIAL)]
)
def test_how_many_are_timed_follows_from_the_costs(training: float, timing: float, expected: int) -> None:
    study = optuna.create_study(directions=["minimize"])
    costs = StageCosts()
    screening, always = Screening(study, costs), Screening(study, costs, always=True)
    assert screening.per_trial == 0, "nothing is known yet"
    assert always.per_trial == 1
    costs.add({"lowering": timing / 5, "measuring": timing * 4 / 5, "teacher": 1e6})
    costs.add({"training": training})
    assert screening.per_trial == expected
    assert always.per_trial == max(1, expected)
    assert costs.trial_s == pytest.approx(training + timing)


def test_so_many_are_due_before_each_trial_and_then_the_trial() -> None:
    costs = StageCosts()
    screening = Screening(optuna.create_study(directions=["minimize"]), costs)
    costs.add({"training": 6.0, "measuring": 1.0})
    for _ in range(2):
        for _ in range(3):
            assert screening.is_due()
            screening.screening_started()
        assert not screening.is_due()
        screening.trial_started()


def test_the_cost_in_the_middle_counts_and_not_that_of_one_slow_machine_minute() -> None:
    costs = StageCosts()
    for training in (10.0, 11.0, 9.0, 1e6, 10.0):
        costs.add({"training": training, "measuring": 1.0})
    assert Screening(optuna.create_study(directions=["minimize"]), costs).per_trial == 5


def test_what_was_timed_is_kept_with_the_study_and_never_timed_again(tmp_path: Path) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    drive(study, recording(training_takes(5.0)), chains, 14)
    before = kept(study)
    assert before
    for text, document in before.items():
        speedup = table(Configuration.from_json(text))["speedup"]
        assert document["figures"]["speedup"] == pytest.approx(speedup)
        assert not any(name.startswith("accuracy") for name in document["figures"])
    again = open_table_study(tmp_path, chains.space)
    log = drive(again, recording(training_takes(5.0)), chains, 22)
    after = kept(again)
    assert {text: after[text] for text in before} == before
    assert sum(timed_before_each_trial(log)) == len(after) - len(before)


def test_an_opened_study_knows_at_once_what_training_and_timing_cost(tmp_path: Path) -> None:
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    drive(study, recording(training_takes(100.0)), chains, 8)
    costs = StageCosts()
    costs.recall(study.get_trials(deepcopy=False))
    again = Screening(open_table_study(tmp_path, chains.space), costs)
    assert 100 <= again.per_trial <= MAX_PER_TRIAL  # with two to five tenths of a second for the timing
    assert {c.canonical() for c in again.figures()} == set(kept(study))


def test_a_candidate_that_cannot_be_timed_is_left_alone_and_counts_as_no_trial() -> None:
    def refuses(configuration: Configuration) -> Mapping[str, Any]:
        if configuration["runtime"] == "onnxruntime" and configuration["numeric_precision"] == "int8":
            raise RuntimeError("an operator is missing")
        return table(configuration)

    chains = make_chains()
    study = open_table_study(None, chains.space)
    log = drive(study, recording(training_takes(20.0), refuses), chains, 20)
    refused = [note for note in log.notes if "left alone" in note]
    assert refused
    assert all(note.endswith("measuring: an operator is missing") for note in refused)
    assert all(kept(study).values()), "another driver may try again"
    assert sorted(trial.number for trial in log.ended) == list(range(20))


@pytest.mark.parametrize("bound", ["size_mib<=4", "speedup>=6"])
def test_what_misses_a_bound_that_speed_or_size_decide_is_not_trained(bound: str) -> None:
    def sized(configuration: Configuration) -> Mapping[str, Any]:
        return {**table(configuration), "size_mib": 10.0 * float(configuration["student_width"])}

    chains, constraint = make_chains(), Constraint.parse(bound)
    runner, study = recording(training_takes(0.1), sized), open_table_study(None, chains.space)
    drive(study, runner, chains, 30, [constraint])
    trained = [(training_key(chains.space, c), constraint.violation(sized(c)) <= 0) for c in runner.trained()]
    assert trained
    assert {key for key, _ in trained} == {key for key, meets in trained if meets}, "others find it trained"
    stopped = [trial for trial in records(study) if trial.state == "stopped"]
    assert stopped
    assert all((t.failure or "").startswith(f"not trained: it misses {constraint} with ") for t in stopped)
    assert {t.number for t in stopped} == {
        t.number for t in study.trials if t.state is optuna.trial.TrialState.PRUNED and t.user_attrs["speed"]
    }


class Busy(Recording):
    """A machine on which other programs slow down whatever is timed untrained."""

    def _figures(self, task: StageTask) -> Mapping[str, Any]:
        figures = super()._figures(task)
        if task.stage != "measuring" or task.settings.get("splits", True):
            return figures
        return {**figures, "speedup": 0.01 * figures["speedup"], "unstable": "the machine was busy"}


def test_a_bound_on_speed_is_not_settled_by_a_screening_that_is_not_to_be_trusted() -> None:
    chains, constraint = make_chains(), Constraint.parse("speedup>=3")
    runner, study = Busy(MACHINE, FACTS, table, seconds=training_takes(0.1)), open_table_study(None, chains.space)
    log = drive(study, runner, chains, 15, [constraint])
    assert {trial.state for trial in records(study)} == {"complete"}
    assert any("before its training: the machine was busy" in note for note in log.notes)
    assert all("budget_s" in task.settings for task in runner.submitted if task.stage == "measuring"), "timed again"
    found = [trial.measurement or {} for trial in records(study)]
    assert any(constraint.is_satisfied(figures) for figures in found)
    assert not any(figures["unstable"] for figures in found)


def test_the_sampler_goes_on_to_propose_what_seemed_slow_on_a_busy_machine() -> None:
    chains, constraint = make_chains(), Constraint.parse("speedup>=3")
    runner, study = Busy(MACHINE, FACTS, table, seconds=training_takes(2.0)), open_table_study(None, chains.space)
    drive(study, runner, chains, 12, [constraint])
    assert isinstance(study.sampler, DistinctSampler)
    assert isinstance(study.sampler._inner, EHVISampler)
    pool = study.sampler._inner._pool
    untried = pool.is_screened & ~pool.is_excluded
    assert untried.any()
    assert np.isfinite(pool.targets[untried, 1]).all(), "the speed itself is known"
    assert np.isnan(pool.targets[untried, 2]).all(), "and whether it keeps the bound is not"


def test_a_size_is_certain_on_a_busy_machine() -> None:
    def sized(configuration: Configuration) -> Mapping[str, Any]:
        return {**table(configuration), "size_mib": 10.0 * float(configuration["student_width"])}

    chains, constraint = make_chains(), Constraint.parse("size_mib<=4")
    runner, study = Busy(MACHINE, FACTS, sized, seconds=training_takes(0.1)), open_table_study(None, chains.space)
    drive(study, runner, chains, 15, [constraint])
    assert any(trial.state == "stopped" for trial in records(study))
    assert all(constraint.is_satisfied(sized(configuration)) for configuration in runner.trained())


def test_a_bound_on_accuracy_alone_does_not_make_anything_be_timed() -> None:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    log = drive(study, recording(training_takes(0.1)), chains, 15, [Constraint.parse("accuracy>=0.97")])
    assert None not in {trial for trial, _ in log.stages}
    assert {trial.state for trial in log.ended} == {"complete"}


class Narrow(Technique):
    """Changes the network."""

    name = "narrow"
    stage = Stage.STUDENT
    parameters = (Parameter("narrow", (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3), 1.0, "a share"),)

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject


class Exits(Narrow):
    """Changes the network too, and its speed is known only once it is trained."""

    name = "exits"
    parameters = (Parameter("exits", (0, 1, 2), 0, "a number"),)
    speed_depends_on_weights: ClassVar[bool] = True


def test_a_candidate_whose_speed_depends_on_trained_weights_is_not_timed_untrained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runners.stage_keys.stage_code", lambda *given: "its file is no technique's")
    techniques = (Narrow(), Exits())
    space = SearchSpace(tuple(Axis(t, p, p.choices) for t in techniques for p in t.parameters), MACHINE)
    chains = Chains(space, FACTS, "table", 0)

    def figures(configuration: Configuration) -> Mapping[str, Any]:
        width = float(configuration["narrow"])
        whole = Configuration(
            {"student_width": width, "channel_pruning": 0.0, "numeric_precision": "fp32", "runtime": "eager"}
        )
        known = table(whole)
        return {**known, "speedup": known["speedup"] * (1 + int(configuration["exits"]))}

    study = open_table_study(None, space)
    runner = recording(training_takes(100.0), figures)
    drive(study, runner, chains, 12)
    assert kept(study), "those without an exit are timed"

    def exits(task: StageTask) -> int:
        return int(Configuration.from_json(task.configuration)["exits"])

    assert {exits(task) for task in runner.submitted if task.stage == "settling"} == {0}
    assert any(exits(task) for task in runner.submitted if task.stage == "training")
