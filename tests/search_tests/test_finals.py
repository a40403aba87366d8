"""The last word on a front: when it is measured again, and what is said of members that leave."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from search_tests.simulation import OBJECTIVES, Log, drive, make_chains, make_runner, open_table_study, table

from runners.runner import StageOutcome, StageTask
from runners.simulated_runner import SimulatedRunner
from search.finals import settle_front
from search.front import front_document
from search.session import Search
from spaces.configuration import Configuration


class Machine:
    """The table, with figures that change once the search is over."""

    def __init__(self) -> None:
        self.slower: dict[str, float] = {}
        self.unstable = ""
        self.asked = 0

    def __call__(self, configuration: Configuration) -> Mapping[str, Any]:
        self.asked += 1
        figures = dict(table(configuration))
        slower = self.slower.get(configuration.canonical(), 1.0)
        figures["speedup"] *= slower
        figures["speedup_ci95"] = [end * slower for end in figures["speedup_ci95"]]
        return {**figures, "unstable": self.unstable, "accuracy_test": 0.9}


def _searched(machine: Machine) -> Search:
    chains = make_chains()
    study = open_table_study(None, chains.space)
    runner = make_runner(of=machine)
    drive(study, runner, chains, 20)
    return Search(study, runner, chains, OBJECTIVES, [], Log())


def test_the_front_is_measured_once_more_and_then_left_alone() -> None:
    machine = Machine()
    search = _searched(machine)
    before = machine.asked
    settle_front(search)
    measured = machine.asked - before
    assert measured == len({0, *(member["trial"] for member in front_document(search.study)["front"])})
    assert all(member["measurement"]["accuracy_test"] == 0.9 for member in front_document(search.study)["front"])
    settle_front(search)
    assert machine.asked - before == measured


def test_an_unstable_front_is_measured_anew() -> None:
    machine = Machine()
    search = _searched(machine)
    machine.unstable = "the machine was busy"
    settle_front(search)
    before, machine.unstable = machine.asked, ""
    settle_front(search)
    assert machine.asked > before
    assert not any(member["unstable"] for member in front_document(search.study)["front"])


def test_a_member_that_leaves_is_named_with_both_figures() -> None:
    machine = Machine()
    search = _searched(machine)
    fast = front_document(search.study)["front"][0]
    machine.slower[Configuration(fast["configuration"]).canonical()] = 0.1
    settle_front(search)
    assert fast["trial"] not in [member["trial"] for member in front_document(search.study)["front"]]
    assert any(f"trial {fast['trial']} left the front" in note for note in _notes(search))


def test_members_are_timed_beside_each_other_and_those_figures_are_the_final_ones() -> None:
    machine = Machine()
    search = _side_by_side(machine)
    settle_front(search)
    finals = {int(number): figures for number, figures in search.study.user_attrs["final"].items()}
    assert {number: figures["speedup"] for number, figures in finals.items()} == {n: 2.0 + n for n in finals}
    assert all(figures["accuracy_test"] == 0.9 for figures in finals.values()), "what else was found stays"


def test_a_front_that_cannot_be_timed_together_keeps_the_figures_of_each() -> None:
    machine = Machine()
    search = _side_by_side(machine, "comparing: was killed")
    settle_front(search)
    assert any("one by one" in note and "was killed" in note for note in _notes(search))
    assert front_document(search.study)["front"][0]["measurement"]["accuracy_test"] == 0.9


def _notes(search: Search) -> list[str]:
    assert isinstance(search.watcher, Log)
    return search.watcher.notes


def _side_by_side(machine: Machine, failure: str | None = None) -> Search:
    search = _searched(machine)
    runner = SideBySide(*make_runner()._about, machine)
    runner.failure = failure
    return replace(search, runner=runner)


class SideBySide(SimulatedRunner):
    """Says of each member of a front that it has a speed of its own, or fails."""

    failure: str | None = None

    def _carry_out(self, task: StageTask) -> tuple[StageOutcome, float]:
        if task.stage != "comparing":
            return super()._carry_out(task)
        timings = {
            n: {"speedup": 2.0 + int(n), "speedup_ci95": [1.9 + int(n), 2.1 + int(n)], "blocks": 9}
            for n in task.settings["members"]
        }
        return StageOutcome({} if self.failure else {"timings": timings}, 1.0, failure=self.failure), 1.0
