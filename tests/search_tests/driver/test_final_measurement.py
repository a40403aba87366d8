"""The final measurement of a front: when it is made again, and what is said of members that leave."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from runners.runner import StageOutcome, StageTask
from search.driver.final_measurement import measure_front
from search.driver.search_context import SearchContext
from search.front.front import compute_front
from search.front.front_document import front_document
from search.objectives.constraint import Constraint
from search.objectives.objective import Objective, find_objectives
from search.study.study import TrialRecord, records
from spaces.configuration import Configuration


class Machine:
    """The table, with figures that change once the search is over."""

    def __init__(self) -> None:
        self.slower: dict[str, float] = {}
        self.failing: set[str] = set()
        self.without_p99: set[str] = set()
        self.unstable = ""
        self.asked = 0

    def __call__(self, configuration: Configuration) -> Mapping[str, Any]:
        self.asked += 1
        name, figures = configuration.canonical(), dict(table(configuration))
        if name in self.failing:
            raise RuntimeError("out of memory")
        slower = self.slower.get(name, 1.0)
        figures["speedup"] *= slower
        figures["speedup_ci95"] = [end * slower for end in figures["speedup_ci95"]]
        figures["latency_p99_ms"] = None if name in self.without_p99 else 3.0 / figures["speedup"]
        return {**figures, "unstable": self.unstable, "accuracy_test": 0.9}


def _searched(
    machine: Machine, objectives: Sequence[Objective] = OBJECTIVES, constraints: Sequence[Constraint] = ()
) -> SearchContext:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    runner = make_runner(of=machine)
    drive(study, runner, chains, 20, constraints, objectives=objectives)
    return SearchContext(study, runner, chains, objectives, constraints, Log(), "frontrunner resume table")


def test_the_front_is_measured_once_more_and_then_left_alone() -> None:
    machine = Machine()
    search = _searched(machine)
    before = machine.asked
    measure_front(search)
    measured = machine.asked - before
    assert measured == len({0, *(member["trial"] for member in front_document(search.study)["front"])})
    assert all(member["measurement"]["accuracy_test"] == 0.9 for member in front_document(search.study)["front"])
    measure_front(search)
    assert machine.asked - before == measured


def test_an_unstable_front_is_measured_anew() -> None:
    machine = Machine()
    search = _searched(machine)
    machine.unstable = "the machine was busy"
    measure_front(search)
    before, machine.unstable = machine.asked, ""
    measure_front(search)
    assert machine.asked > before
    assert not any(member["unstable"] for member in front_document(search.study)["front"])


def test_a_member_that_leaves_is_named_with_both_figures() -> None:
    machine = Machine()
    search = _searched(machine)
    fast = front_document(search.study)["front"][0]
    machine.slower[Configuration(fast["configuration"]).canonical()] = 0.1
    measure_front(search)
    assert fast["trial"] not in [member["trial"] for member in front_document(search.study)["front"]]
    assert any(f"trial {fast['trial']} left the front" in note for note in _notes(search))


def test_a_front_whose_baseline_cannot_be_measured_finally_keeps_the_figures_of_the_search() -> None:
    machine = Machine()
    search = _searched(machine)
    searched = front_document(search.study)["front"]
    machine.failing = {search.chains.space.baseline().canonical()}
    measure_front(search)
    assert front_document(search.study)["front"] == searched
    assert any("out of memory" in note and "`frontrunner resume table`" in note for note in _notes(search))
    machine.failing.clear()
    measure_front(search)
    assert all(member["searched"] for member in front_document(search.study)["front"])


def test_final_figures_without_those_of_the_baseline_are_not_settled() -> None:
    machine = Machine()
    search = _searched(machine)
    measure_front(search)
    finals, before = dict(search.study.user_attrs["final"]), machine.asked
    del finals["0"]
    search.study.set_user_attr("final", finals)
    measure_front(search)
    assert machine.asked > before


@pytest.mark.parametrize(
    ("objectives", "constraints"),
    [(["accuracy", "latency_p99_ms"], []), (["accuracy", "speedup"], ["latency_p99_ms<=9"])],
    ids=["objective", "constraint"],
)
def test_a_member_whose_last_timing_has_too_few_calls_for_what_is_asked_leaves_and_is_told_why(
    objectives: list[str], constraints: list[str]
) -> None:
    machine = Machine()
    search = _searched(machine, find_objectives(objectives), [Constraint.parse(text) for text in constraints])
    fast, *others = _members(search)
    assert others
    machine.without_p99 = {fast.configuration.canonical()} if fast.configuration else set()
    measure_front(search)
    assert fast.number not in [trial.number for trial in _members(search)]
    left = f"trial {fast.number} left the front: latency_p99_ms is not known, as fewer than 1,000 calls were timed"
    assert [note for note in _notes(search) if "left the front" in note] == [left]


def test_members_are_timed_beside_each_other_and_those_figures_are_the_final_ones() -> None:
    machine = Machine()
    search = _side_by_side(machine)
    measure_front(search)
    finals = {int(number): figures for number, figures in search.study.user_attrs["final"].items()}
    assert {number: figures["speedup"] for number, figures in finals.items()} == {n: 2.0 + n for n in finals}
    assert all(figures["accuracy_test"] == 0.9 for figures in finals.values()), "what else was found stays"


def test_a_front_that_cannot_be_timed_together_keeps_doubtful_figures_of_each_and_is_timed_again() -> None:
    machine = Machine()
    search = _side_by_side(machine, "comparing: was killed")
    machine.unstable = "the machine was busy"
    measure_front(search)
    assert any("side by side" in note and "was killed" in note for note in _notes(search))
    finals = search.study.user_attrs["final"]
    assert {figures["unstable"] for figures in finals.values()} == {
        "not timed beside the rest of the front: comparing: was killed; the machine was busy"
    }
    assert all(figures["accuracy_test"] == 0.9 for figures in finals.values())
    machine.unstable = ""
    measure_front(search)
    doubts = {figures["unstable"] for figures in search.study.user_attrs["final"].values()}
    assert doubts == {"not timed beside the rest of the front: comparing: was killed"}
    before = machine.asked
    measure_front(search)
    assert machine.asked > before, "figures that are not of one timing are not settled"


def _members(search: SearchContext) -> list[TrialRecord]:
    """The front as it stands, fastest first."""
    complete = [trial for trial in records(search.study) if trial.state == "complete"]
    finals = {int(number): figures for number, figures in search.study.user_attrs.get("final", {}).items()}
    return compute_front(complete, search.objectives, search.constraints, finals)[0]


def _notes(search: SearchContext) -> list[str]:
    assert isinstance(search.observer, Log)
    return search.observer.notes


def _side_by_side(machine: Machine, failure: str | None = None) -> SearchContext:
    search = _searched(machine)
    runner = SideBySide(MACHINE, FACTS, machine)
    runner.failure = failure
    return replace(search, runner=runner)


class SideBySide(SimulatedRunner):
    """Says of each member of a front that it has a speed of its own, or fails."""

    failure: str | None = None
    lost: int | None = None

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        if task.stage != "comparing":
            return super()._simulate(task)
        timings = {
            n: {"speedup": 2.0 + int(n), "speedup_ci95": [1.9 + int(n), 2.1 + int(n)], "blocks": 9}
            for n in task.settings["members"]
        }
        failure = "it was lost" if str(self.lost) in timings else self.failure
        return StageOutcome({} if failure else {"timings": timings}, 1.0, failure=failure), 1.0


def test_what_the_runtime_alone_gives_is_timed_with_the_front_though_it_is_not_on_it() -> None:
    search = _side_by_side(Machine())
    searched = front_document(search.study)["runtime_alone"]
    assert searched["configuration"]["runtime"] == "openvino"
    assert searched["searched"] is None
    others = {member["trial"] for member in front_document(search.study)["front"]}
    assert searched["trial"] not in others, "int8 in the same runtime is as accurate within the intervals"
    measure_front(search)
    document = front_document(search.study)
    alone = document["runtime_alone"]
    assert alone["trial"] == searched["trial"]
    assert alone["measurement"]["speedup"] == 2.0 + alone["trial"], "that of the last timing"
    assert alone["searched"]["speedup"] == searched["measurement"]["speedup"]
    assert alone["measurement"]["accuracy"] == searched["measurement"]["accuracy"]
    assert alone["trial"] not in {member["trial"] for member in document["front"]}


def test_a_front_is_timed_without_what_the_runtime_alone_gives_where_its_artifact_is_gone() -> None:
    search = _side_by_side(Machine())
    number = front_document(search.study)["runtime_alone"]["trial"]
    runner = search.runner
    assert isinstance(runner, SideBySide)
    runner.lost = number
    measure_front(search)
    assert not any("side by side" in note for note in _notes(search))
    assert all(figures["speedup"] == 2.0 + int(n) for n, figures in search.study.user_attrs["final"].items())
    assert front_document(search.study)["runtime_alone"]["searched"] is None


class Recording(SimulatedRunner):
    """Keeps what it was asked for, and has lost the speed that was measured in the search where it is told so."""

    lost = False

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tasks: list[StageTask] = []
        self.most_under_way = 0

    def submit(self, task: StageTask) -> None:
        self.tasks.append(task)
        super().submit(task)
        self.most_under_way = max(self.most_under_way, len(self._under_way))

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        if self.lost and "speed" in task.inputs:
            return StageOutcome({}, 1.0, failure="its speed was lost"), 1.0
        return super()._simulate(task)


def _recorded(objectives: Sequence[Objective] = OBJECTIVES, *, lost: bool = False) -> tuple[SearchContext, Recording]:
    search = _searched(Machine(), objectives)
    runner = Recording(MACHINE, FACTS, Machine())
    runner.lost = lost
    return replace(search, runner=runner), runner


def test_members_are_evaluated_side_by_side_and_nothing_is_timed_alone_or_served_again() -> None:
    search, runner = _recorded()
    measure_front(search)
    keys = {trial.user_attrs["stages"]["measuring"] for trial in search.study.get_trials()}
    evaluated = [task for task in runner.tasks if task.stage == "measuring"]
    assert runner.most_under_way == len(evaluated) > 1
    assert {task.inputs["speed"] for task in evaluated} <= keys
    assert not any(task.exclusive for task in evaluated)


def test_where_throughput_is_asked_for_each_member_serves_again() -> None:
    search, runner = _recorded(find_objectives(["accuracy", "throughput_per_s"]))
    measure_front(search)
    assert all(task.exclusive for task in runner.tasks)
    assert not any("speed" in task.inputs for task in runner.tasks)


def test_a_member_whose_measurement_is_gone_from_the_store_is_measured_wholly() -> None:
    search, runner = _recorded(lost=True)
    measure_front(search)
    wholly = [task for task in runner.tasks if task.stage == "measuring" and task.exclusive]
    assert len(wholly) == len(search.study.user_attrs["final"])
    assert not any("leaves the front" in note for note in _notes(search))
