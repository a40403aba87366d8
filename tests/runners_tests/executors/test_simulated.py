"""What the simulation gives for candidates that are not trained yet, or not to the end."""

from dataclasses import replace
from typing import Any

from search_tests.simulation import FACTS, MACHINE, make_chains, table

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageTask
from spaces.configuration import Configuration

CHAINS = replace(make_chains(), rungs=lambda epochs: (1, 3, epochs))
CANDIDATE = Configuration({**CHAINS.space.baseline(), "student_width": 0.5, "runtime": "openvino"})


def result(runner: SimulatedRunner, task: StageTask) -> dict[str, Any]:
    runner.submit(task)
    ((_, outcome),) = runner.wait(1.0)
    assert outcome.failure is None
    return dict(outcome.result)


def test_a_screening_has_the_figures_of_the_table_but_for_its_accuracy() -> None:
    found = result(SimulatedRunner(MACHINE, FACTS, table), CHAINS.screening(CANDIDATE)[-1])
    whole = table(CANDIDATE)
    gone = {name for name in whole if name.startswith("accuracy")} | {"train_seconds"}
    assert found == {name: value for name, value in whole.items() if name not in gone}
    judged = result(SimulatedRunner(MACHINE, FACTS, table), CHAINS.chain(CANDIDATE, screened=True)[-1])
    assert judged == whole


def test_each_level_of_a_training_has_its_place_on_the_curve() -> None:
    runner = SimulatedRunner(MACHINE, FACTS, table, curve=lambda configuration, epochs: 1 - 0.5**epochs)
    levels = [task for task in CHAINS.chain(CANDIDATE) if task.stage == "training"]
    found = [result(runner, task) for task in levels]
    assert [(level["epochs"], level["accuracy"]) for level in found] == [(1, 0.5), (3, 0.875), (8, 1 - 0.5**8)]
    assert found[0]["accuracy_ci95"] == [0.5, 0.5]


def test_without_a_curve_every_level_has_the_accuracy_of_the_table_where_that_has_one() -> None:
    def refuses(configuration: Configuration) -> dict[str, Any]:
        raise RuntimeError("the runtime refused")

    (first, *_) = (task for task in CHAINS.chain(CANDIDATE) if task.stage == "training")
    assert result(SimulatedRunner(MACHINE, FACTS, table), first)["accuracy"] == table(CANDIDATE)["accuracy"]
    assert result(SimulatedRunner(MACHINE, FACTS, refuses), first) == {"epochs": 1}
