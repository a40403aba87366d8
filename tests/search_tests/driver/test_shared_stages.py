"""Runs that need the same stage wait for one computation."""

from search_tests.simulation import (
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    Recording,
    make_chains,
    open_table_study,
    table,
)

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
