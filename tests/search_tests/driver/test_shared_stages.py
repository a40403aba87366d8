"""Runs that need the same stage wait for one computation."""

from collections.abc import Mapping
from typing import Any

from search_tests.simulation import (
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    Recording,
    drive,
    make_chains,
    open_table_study,
    table,
)

from runners.measuring.candidate_figures import EPOCH_LOSSES
from runners.runner import StageTask
from search.driver.runs import ScreeningRun
from search.driver.search_context import SearchContext
from search.driver.shared_stages import SharedStages
from spaces.configuration import Configuration

CHAINS = make_chains()


def stages_of(workers: int) -> tuple[SharedStages, Recording, Log]:
    runner, log = Recording(MACHINE, FACTS, table, workers=workers), Log()
    study = open_table_study(None, CHAINS.space)
    return SharedStages(SearchContext(study, runner, CHAINS, OBJECTIVES, (), log)), runner, log


def screening_run(width: float) -> ScreeningRun:
    configuration = Configuration({**CHAINS.space.baseline(), "student_width": width})
    return ScreeningRun(configuration, CHAINS.screening(configuration))


def test_a_stage_that_two_runs_need_is_computed_once_and_its_time_counts_once() -> None:
    stages, runner, log = stages_of(workers=2)
    first, second = screening_run(0.5), screening_run(0.25)
    stages.send(first)
    stages.send(second)
    assert [task.stage for task in runner.submitted] == ["teacher"]
    ended = list(stages.wait())
    assert [run for run, _ in ended] == [first, second]
    assert [outcome.from_store for _, outcome in ended] == [False, True]
    assert log.stages == [(None, "teacher"), (None, "teacher")]
    assert not stages.under_way


def test_a_run_that_waits_for_another_keeps_no_worker_busy_but_there_are_not_many_of_them() -> None:
    stages, _, _ = stages_of(workers=2)
    assert stages.has_room
    for _ in range(3):
        stages.send(screening_run(0.5))
        assert stages.has_room
    stages.send(screening_run(0.25))
    assert not stages.has_room


def test_runs_that_are_left_are_given_back_and_nothing_is_under_way() -> None:
    stages, runner, _ = stages_of(workers=2)
    run = screening_run(0.5)
    stages.send(run)
    assert stages.cancel() == [run]
    assert not stages.under_way
    assert runner.wait(1.0) == []


class WithLosses(Recording):
    """Its trainings have a loss that tells them apart."""

    def _figures(self, task: StageTask) -> Mapping[str, Any]:
        trained = {EPOCH_LOSSES: {"1": float(int(task.key[:8], 16))}} if task.stage in ("training", "teacher") else {}
        return {**super()._figures(task), **trained}


def test_trials_that_share_a_training_have_the_same_losses_and_the_baseline_has_the_teachers() -> None:
    choices = {"student_width": [1.0, 0.5], "runtime": ["eager", "onnxruntime"]}
    chains, runner = make_chains(choices), WithLosses(MACHINE, FACTS, table)
    study = open_table_study(None, chains.space)
    log = drive(study, runner, chains, 4)
    (teacher,) = {task.key for task in runner.submitted if task.stage == "teacher"}
    by_width: dict[Any, list[Any]] = {}
    for ended in log.ended[1:]:
        by_width.setdefault(ended.configuration["student_width"], []).append(dict(ended.losses))
    assert log.ended[0].losses == {1: float(int(teacher[:8], 16))}
    assert [len(losses) for losses in by_width.values() if losses[0]] == [2], "the narrow ones are trained"
    assert all(losses.count(losses[0]) == len(losses) for losses in by_width.values())
    kept = study.get_trials(deepcopy=False)
    assert [{int(n): one for n, one in t.user_attrs.get(EPOCH_LOSSES, {}).items()} for t in kept] == [
        dict(ended.losses) for ended in sorted(log.ended, key=lambda one: one.number)
    ]
