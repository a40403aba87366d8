"""Chains of a search that asks for the speed of trainings: what is timed, and beside what."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from runners_tests.chains.test_chain import MACHINE

from runners.chains.chain import Chains
from runners.runner import StageTask, WorkloadFacts
from spaces.configuration import Configuration
from spaces.plans import TrainingPlan
from spaces.space_document import make_space

CHOICES: dict[str, list[Any]] = {
    "student_width": [1.0, 0.5],
    "channel_pruning": [0.0, 0.5],
    "pruning_steps": [1, 2],
    "pruning_epochs": [1],
    "training_workers": [1, 2],
    "distillation_weight": [0.0, 0.9],
    "runtime": ["eager", "openvino"],
}
PLAN = TrainingPlan(epochs=4, batch_size=32, workers=2, distillation_weight=0.5, trainable=0.5)
FACTS = WorkloadFacts("digits", "f" * 64, training=asdict(PLAN), examples={"train": 100})
CHAINS = Chains(
    make_space(CHOICES, MACHINE), FACTS, "digits", seed=0, rungs=lambda epochs: (1, epochs), times_training=True
)


def chain(**choices: Any) -> tuple[StageTask, ...]:
    return CHAINS.chain(Configuration({**CHAINS.space.baseline(), **choices}))


def timings(tasks: tuple[StageTask, ...]) -> list[StageTask]:
    return [task for task in tasks if task.stage == "timing_training"]


def test_what_is_not_trained_shares_the_timing_of_the_teachers_network_by_one_worker() -> None:
    (own,), (other,) = timings(chain()), timings(chain(runtime="openvino"))
    assert own.key == other.key
    assert (own.settings["workers"], own.settings["distillation_weight"], own.settings["trainable"]) == (1, 0, 1)
    assert own.exclusive
    assert chain()[-1].inputs["training_speed"] == own.key


def test_a_candidate_is_timed_from_the_network_before_its_first_level_beside_the_same() -> None:
    tasks = chain(student_width=0.5, training_workers=2, distillation_weight=0.9)
    reference, own = timings(tasks)
    assert reference.key == timings(chain())[0].key == own.inputs["reference"]
    assert own.inputs["parent"] == next(task for task in tasks if task.stage == "transforming").key
    assert own.inputs["learns_from"] == own.inputs["teacher"] == tasks[0].key
    assert (own.settings["workers"], own.settings["threads"], own.settings["reference_threads"]) == (2, 1, 1)
    assert own.settings["trained_examples"] == 4 * 96
    assert tasks[-1].inputs["training_speed"] == own.key


def test_of_several_trainings_the_longest_is_timed_and_the_examples_of_all_count() -> None:
    _, own = timings(chain(channel_pruning=0.5, pruning_steps=2, training_workers=2))
    assert own.settings["epochs"] == 4
    assert own.settings["trained_examples"] == (1 + 4) * 96


@pytest.mark.parametrize("choices", [{}, {"student_width": 0.5}, {"channel_pruning": 0.5, "pruning_steps": 2}])
def test_every_stage_comes_after_its_inputs(choices: dict[str, Any]) -> None:
    known: set[str] = set()
    for task in chain(**choices):
        assert set(task.inputs.values()) <= known
        known.add(task.key)


def test_a_worker_that_trains_has_an_accelerator_of_its_own_while_it_is_timed() -> None:
    machine = replace(MACHINE, accelerators=2, accelerator="cuda")
    chains = replace(CHAINS, space=make_space(CHOICES, machine))
    candidate = Configuration({**chains.space.baseline(), "student_width": 0.5, "training_workers": 2})
    assert [task.gpus for task in timings(chains.chain(candidate))] == [1, 2]


def test_the_final_evaluation_keeps_the_figures_of_the_search() -> None:
    candidate = Configuration({**CHAINS.space.baseline(), "student_width": 0.5})
    final = CHAINS.final(candidate, trials=3, measured="known")
    assert final.inputs["training_speed"] == timings(CHAINS.chain(candidate))[-1].key


def test_a_search_that_does_not_ask_for_it_times_no_training() -> None:
    usual = replace(CHAINS, times_training=False)
    assert not timings(usual.chain(Configuration({**usual.space.baseline(), "student_width": 0.5})))
