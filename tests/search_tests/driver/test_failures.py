"""What the driver does where a process, the machine or the baseline fails, and not a candidate."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import (
    FACTS,
    MACHINE,
    OBJECTIVES,
    Log,
    drive,
    make_chains,
    make_runner,
    open_table_study,
    table,
)

from runners.executors.simulated import SimulatedRunner
from runners.runner import FailureKind, StageOutcome, StageTask
from search.driver.attempts import MOST_ATTEMPTS, Attempts, MachineFailed
from search.driver.final_measurement import measure_front
from search.driver.search_context import SearchContext
from search.front.front_document import front_document, trial_documents
from search.study.study import records
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

pytestmark = pytest.mark.faults("worker died")

CHAINS = make_chains()


class Failing(SimulatedRunner):
    """A machine on which some stages fail so many times each before they succeed; it counts them."""

    def __init__(
        self, kind: FailureKind, times: int, which: Callable[[StageTask], bool], *, workers: int = 1, of: Any = table
    ) -> None:
        super().__init__(MACHINE, FACTS, of, workers=workers)
        self.failures: Counter[str] = Counter()
        self._kind, self._times, self._which = kind, times, which

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        if self._which(task) and self.failures[task.key] < self._times:
            self.failures[task.key] += 1
            failure = f"{task.stage}: number {self.failures[task.key]}"
            return StageOutcome({}, 1.0, failure=failure, failure_kind=self._kind), 1.0
        return super()._simulate(task)


def narrow_training(task: StageTask) -> bool:
    """Whether it trains a student of half the width."""
    return task.stage == "training" and Configuration.from_json(task.configuration)["student_width"] == 0.5


def of_stage(stage: str) -> Callable[[StageTask], bool]:
    return lambda task: task.stage == stage


def rows(study: Any) -> list[Any]:
    return [(trial.number, trial.state, trial.configuration, trial.measurement) for trial in records(study)]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_stage_whose_process_died_is_sent_again_and_nothing_else_changes(workers: int) -> None:
    study, plain = open_table_study(None, CHAINS.space), open_table_study(None, CHAINS.space)
    runner = Failing("process", 2, narrow_training, workers=workers)
    log = drive(study, runner, CHAINS, 20)
    drive(plain, make_runner(workers=workers), CHAINS, 20)
    assert set(runner.failures.values()) == {MOST_ATTEMPTS - 1}
    assert all(trial.state == "complete" for trial in records(study))
    assert len(records(study)) == len(log.ended) == 20
    if workers == 1:
        assert rows(study) == rows(plain)
    assert log.notes == ["training: number 1; it is tried again, twice at most"] * len(runner.failures)


def test_a_stage_whose_process_dies_each_time_fails_its_trial_after_the_third() -> None:
    study = open_table_study(None, CHAINS.space)
    runner = Failing("process", 99, narrow_training)
    drive(study, runner, CHAINS, 20)
    failed = [trial for trial in records(study) if trial.state == "failed"]
    assert failed
    assert all((trial.configuration or {})["student_width"] == 0.5 for trial in failed)
    assert {trial.failure for trial in failed} <= {f"training: number {3 * n}" for n in range(1, 20)}
    assert len(records(study)) == 20


def test_a_stage_that_raised_is_not_sent_again() -> None:
    study = open_table_study(None, CHAINS.space)
    runner = Failing("candidate", 1, narrow_training)
    drive(study, runner, CHAINS, 20)
    first = next(trial for trial in records(study) if (trial.configuration or {})["student_width"] == 0.5)
    assert (first.state, first.failure) == ("failed", "training: number 1")


def test_all_who_wait_for_a_stage_get_the_result_of_its_second_attempt() -> None:
    study = open_table_study(None, CHAINS.space)
    drive(study, make_runner(), CHAINS, 1)
    runner = Failing("process", 1, of_stage("transforming"), workers=8)
    log = drive(study, runner, CHAINS, 20)
    assert all(trial.state == "complete" for trial in records(study))
    assert any("transforming" in note for note in log.notes)


def test_what_is_cancelled_has_all_of_its_attempts_again() -> None:
    runner, log = Failing("process", 99, of_stage("teacher")), Log()
    attempts = Attempts(runner, log, "table")
    (task, *_) = CHAINS.chain(CHAINS.space.baseline())
    for _ in range(2):
        attempts.submit(task)
        assert [attempts.wait(1.0) for _ in range(2)] == [[], []]
        attempts.cancel()
    assert len(log.notes) == 2


def test_a_stage_that_waits_long_for_its_machine_is_told_once() -> None:
    runner = make_runner()
    runner.waiting = lambda: "measuring has waited"  # type: ignore[method-assign]
    assert drive(open_table_study(None, CHAINS.space), runner, CHAINS, 5).notes == ["measuring has waited"]


class Full(Failing):
    """A machine whose disk is full from some stage on."""

    def __init__(self, after: int) -> None:
        super().__init__("machine", 99, lambda task: self._order >= after, workers=3)


@pytest.mark.parametrize("after", [0, 4, 30])
def test_where_the_machine_fails_nothing_is_told_and_a_later_driver_completes(after: int, tmp_path: Path) -> None:
    study, log = open_table_study(tmp_path, CHAINS.space), Log()
    with pytest.raises(MachineFailed, match=r"number 1; .*`frontrunner resume` goes on"):
        drive(study, Full(after), CHAINS, 20, log=log)
    before = records(study)
    assert {trial.state for trial in before} <= {"running", "complete"}
    assert any(trial.state == "running" for trial in before)
    again = open_table_study(tmp_path, CHAINS.space)
    drive(again, make_runner(workers=3), CHAINS, 20, log=log)
    assert [trial.state for trial in records(again)] == ["complete"] * 20
    assert [trial.configuration for trial in records(again)][: len(before)] == [t.configuration for t in before]
    assert sorted(trial.number for trial in log.ended) == list(range(20)), "each is told once"


@pytest.mark.parametrize("stage", ["calibrating", "comparing"])
def test_a_stage_of_the_whole_study_is_tried_again_and_ends_the_search_where_the_machine_fails(stage: str) -> None:
    study = open_table_study(None, CHAINS.space)
    log = drive_and_measure(study, Failing("process", 2, of_stage(stage)))
    assert any(note == f"{stage}: number 1; it is tried again, twice at most" for note in log.notes)
    assert not any("not known" in note or "side by side" in note for note in log.notes)
    with pytest.raises(MachineFailed, match=f"{stage}: number 1"):
        drive_and_measure(open_table_study(None, CHAINS.space), Failing("machine", 1, of_stage(stage)))


def drive_and_measure(study: Any, runner: SimulatedRunner) -> Log:
    log = drive(study, runner, CHAINS, 6)
    measure_front(SearchContext(study, runner, CHAINS, OBJECTIVES, (), log))
    return log


@pytest.mark.parametrize("kind", ["candidate", "process"])
def test_a_baseline_that_failed_is_run_again_as_trial_0(kind: FailureKind, tmp_path: Path) -> None:
    study, log = open_table_study(tmp_path, CHAINS.space), Log()
    for _ in range(2):
        with pytest.raises(
            WorkFailed, match=r"the baseline failed \(measuring: number \d\).*`frontrunner resume` runs it again"
        ):
            drive(study, Failing(kind, 99, of_stage("measuring")), CHAINS, 10, log=log)
        study = open_table_study(tmp_path, CHAINS.space)
        (trial,) = trial_documents(study)
        assert (trial["trial"], trial["state"]) == (0, "failed")
        assert trial["failure"].startswith("measuring: number")
        document = front_document(study)
        assert (document["trials"], document["failed"], document["baseline"], document["front"]) == (1, 1, None, [])
    drive(study, make_runner(), CHAINS, 10, log=log)
    trials = records(study)
    assert trials[0].configuration == CHAINS.space.baseline()
    assert [(trial.state, trial.failure) for trial in trials] == [("complete", None)] * 10
    assert [trial.number for trial in log.ended] == list(range(10))


def test_while_a_failed_baseline_is_run_again_it_is_shown_as_running(tmp_path: Path) -> None:
    study = open_table_study(tmp_path, CHAINS.space)
    with pytest.raises(WorkFailed):
        drive(study, Failing("candidate", 99, of_stage("teacher")), CHAINS, 10)
    with pytest.raises(MachineFailed):
        drive(study, Full(0), CHAINS, 10)
    (trial,) = records(study)
    assert (trial.state, trial.failure) == ("running", None)
    assert front_document(study)["trials"] == 0
