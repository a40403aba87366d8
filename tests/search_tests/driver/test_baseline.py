"""The baseline of a study: timed with each number of threads first, and then the same for the whole study."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from search_tests.simulation import CHOICES, FACTS, MACHINE, OBJECTIVES, Log, Recording, open_table_study, table

from runners.chains.chain import Chains
from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.driver.baseline import known_threads, offered_threads, time_baseline
from search.driver.search_context import SearchContext
from search.study.attributes import BASELINE, CONFIGURATION, FAILURE, TIMING_RESOLUTION
from spaces.errors import WorkFailed
from spaces.space_document import make_space

BY_THREADS = {
    "1": {"speedup": 1.0, "speedup_ci95": [1.0, 1.0], "latency_p50_ms": 2.0, "unstable": ""},
    "2": {"speedup": 1.3, "speedup_ci95": [1.25, 1.35], "latency_p50_ms": 1.5, "unstable": ""},
}


class TwoThreads(Recording):
    """A machine on which the baseline is fastest on two threads, or whose stage fails."""

    failing: str | None = None
    doubt = ""

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        if task.stage == self.failing:
            return StageOutcome({}, 1.0, failure=f"{task.stage}: it broke"), 1.0
        if task.stage != "calibrating":
            return super()._simulate(task)
        many = task.settings["offered"] != [2]
        chosen = {"threads": 2, "by_threads": BY_THREADS if many else {}, "tuned": False}
        return StageOutcome({**chosen, "resolution": 0.02, "unstable": self.doubt}, 1.0), 1.0


def search_on(runner: SimulatedRunner, folder: Path | None = None, log: Log | None = None) -> SearchContext:
    chains = Chains(make_space(CHOICES, MACHINE), FACTS, "table", 0)
    return SearchContext(open_table_study(folder, chains.space), runner, chains, OBJECTIVES, (), log or Log())


def two_threads() -> TwoThreads:
    return TwoThreads(MACHINE, FACTS, table)


def test_the_number_of_threads_is_chosen_after_the_teacher_and_kept_with_the_study() -> None:
    runner, log = two_threads(), Log()
    search = search_on(runner, log=log)
    assert time_baseline(search, (1, 2)) == 2
    assert [task.stage for task in runner.submitted] == ["teacher", "calibrating"]
    assert runner.submitted[1].settings["offered"] == [1, 2]
    assert search.study.user_attrs[BASELINE] == {"threads": 2, "by_threads": BY_THREADS, "tuned": False}
    assert search.study.user_attrs[TIMING_RESOLUTION] == {"resolution": 0.02, "unstable": "", "occasion": 0}
    assert log.notes == ["the baseline is PyTorch eager on 2 threads (2 threads: 1.30x as fast as 1 (95 % 1.25-1.35))"]


def test_a_study_that_goes_on_keeps_its_number_and_times_only_what_was_in_doubt(tmp_path: Path) -> None:
    runner = two_threads()
    runner.doubt = "the machine was busy"
    time_baseline(search_on(runner, tmp_path), (1, 2))
    runner.doubt = ""
    for _ in range(2):
        assert time_baseline(search_on(runner, tmp_path), (1, 2)) == 2
    asked = [task.settings["offered"] for task in runner.submitted if task.stage == "calibrating"]
    assert asked == [[1, 2], [2]], "what can be trusted is not timed again"
    assert known_threads(search_on(runner, tmp_path).study) == 2


def test_trial_0_exists_before_anything_runs_and_says_why_its_teacher_failed(tmp_path: Path) -> None:
    runner = two_threads()
    runner.failing = "teacher"
    search = search_on(runner, tmp_path)
    with pytest.raises(
        WorkFailed, match=r"the baseline failed \(teacher: it broke\).*`frontrunner resume` runs it again"
    ):
        time_baseline(search, (1, 2))
    (trial,) = search.study.get_trials()
    assert trial.user_attrs[FAILURE] == "teacher: it broke"
    assert trial.user_attrs[CONFIGURATION] == search.chains.space.baseline().canonical()
    runner.failing = None
    again = search_on(runner, tmp_path)
    assert time_baseline(again, (1, 2)) == 2
    (trial,) = again.study.get_trials()
    assert trial.user_attrs[FAILURE] is None
    assert trial.user_attrs[CONFIGURATION] is None, "the driver chooses it, on two threads"


def test_where_the_timing_fails_the_baseline_has_one_thread() -> None:
    runner, log = two_threads(), Log()
    runner.failing = "calibrating"
    search = search_on(runner, log=log)
    assert time_baseline(search, (1, 2)) == 1
    assert known_threads(search.study) is None, "another driver may choose as long as nothing is measured"
    assert log.notes == ["how small a difference may be believed is not known: calibrating: it broke"]


def test_a_study_from_before_whose_baseline_is_measured_keeps_its_one_thread() -> None:
    runner = two_threads()
    search = search_on(runner)
    text = search.chains.space.baseline().canonical()
    search.study.add_trial(optuna.trial.create_trial(values=[0.98, 1.0], user_attrs={CONFIGURATION: text}))
    assert known_threads(search.study) == 1
    time_baseline(search, (1, 2))
    (calibrating,) = [task for task in runner.submitted if task.stage == "calibrating"]
    assert calibrating.settings["offered"] == [1]
    assert BASELINE not in search.study.user_attrs
    assert search.study.trials[0].user_attrs[CONFIGURATION] == text


@pytest.mark.parametrize(
    ("choices", "cores", "offered"),
    [
        ({}, 6, (1, 2, 4, 6)),
        ({"threads": "all"}, 4, (1, 2, 4)),
        ({"threads": [2]}, 4, (1, 2)),
        ({"threads": [1]}, 4, (1,)),
        ({"threads": [1, 64]}, 4, (1,)),
        ({"replicas": [2], "threads": [2]}, 4, (1, 2)),
        ({}, 1, (1,)),
    ],
)
def test_the_numbers_are_those_that_the_space_offers_and_one(
    choices: dict[str, Any], cores: int, offered: tuple[int, ...]
) -> None:
    assert offered_threads(make_space(choices, replace(MACHINE, cpu_cores=cores)), choices) == offered


def test_a_choice_that_is_left_out_stays_as_the_baseline_has_it() -> None:
    machine = replace(MACHINE, baseline_threads=2)
    assert make_space({"student_width": [0.5]}, machine).baseline()["threads"] == 2
    assert {c["threads"] for c in make_space({"student_width": [0.5]}, machine).configurations()} == {2}
    assert {c["threads"] for c in make_space({"threads": [1]}, machine).configurations()} == {1}
    assert make_space({"threads": [1]}, machine).baseline()["threads"] == 2


def test_every_timing_beside_the_baseline_names_its_threads() -> None:
    one, two = (
        Chains(make_space(CHOICES, replace(MACHINE, baseline_threads=threads)), FACTS, "table", 0) for threads in (1, 2)
    )
    candidate = next(c for c in one.space.configurations() if c["student_width"] == 0.5)
    for chains, threads in ((one, 1), (two, 2)):
        baseline = chains.space.baseline()
        timed = [
            chains.chain(candidate)[-1],
            chains.screening(candidate)[-1],
            chains.final(candidate, 5),
            chains.comparing({0: baseline, 3: candidate}, 5),
        ]
        assert [task.settings["baseline_threads"] for task in timed] == [threads] * 4
        assert chains.chain(baseline)[-1].settings["serving"]["threads"] == threads
    assert one.chain(candidate)[-1].key != two.chain(candidate)[-1].key
    assert one.chain(candidate)[-2].key == two.chain(candidate)[-2].key, "what is trained and lowered is shared"
