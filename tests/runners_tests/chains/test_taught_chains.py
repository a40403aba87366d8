"""Whole chains of candidates that learn in other ways: each stage is carried out, up to the trained network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from runners_tests.small_workload import write_small_workload

from runners.chains.candidate_stages import CandidateStages
from runners.executors.local import LocalRunner
from runners.lowering.weights import load_network
from runners.runner import StageOutcome, WorkloadFacts
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.environment import Environment
from spaces.plans import TrainingPlan
from spaces.space_document import make_space

SPACE = {
    "student_width": [1.0, 0.5],
    "channel_pruning": [0.0, 0.5],
    "transfer": "all",
    "distillation_weight": [0.0, 0.7],
    "distillation_method": "all",
    "distillation_assistant": "all",
    "train_before_pruning": "all",
    "trainable": "all",
}


class Bench:
    """The stages of candidates of one small workload, and where their results lie."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.store = folder / "store"
        self.runner = LocalRunner(self.store)
        self.reference = write_small_workload(folder)
        with (folder / "small.py").open("a") as file:
            file.write(more)
        workload = resolve(self.reference)
        plan = TrainingPlan(epochs=1, batch_size=16)
        facts = WorkloadFacts("small", fingerprint(workload, self.reference), training=vars(plan))
        space = make_space(SPACE, Environment())
        self.stages = CandidateStages(space, facts, self.reference, 0, lambda epochs: (epochs,))

    def run(self, **choices: Any) -> list[StageOutcome]:
        """The outcomes of the stages that make the trained network of a candidate."""
        configuration = Configuration({**self.stages.space.baseline(), **choices})
        outcomes = []
        for task in self.stages.network(configuration):
            self.runner.submit(task)
            ((_, outcome),) = self.runner.wait(60.0)
            assert outcome.failure is None, outcome.failure
            outcomes.append(outcome)
        return outcomes

    def network(self, **choices: Any) -> torch.nn.Module:
        """The trained network of a candidate that was run."""
        key = self.stages.network(Configuration({**self.stages.space.baseline(), **choices}))[-1].key
        return load_network(resolve(self.reference).network, self.store / "entries" / key[:2] / key / "files")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_a_student_learns_from_an_assistant_layer_by_layer_and_is_pruned_once_trained(bench: Bench) -> None:
    taught = {"student_width": 0.5, "distillation_weight": 0.7, "distillation_assistant": 0.75}
    outcomes = bench.run(**taught, channel_pruning=0.5, distillation_method="features", train_before_pruning=True)
    figures = [outcome.result for outcome in outcomes if "parameters" in outcome.result]
    teacher, _, assistant, _, student, pruned, trained = (each["parameters"] for each in figures)
    assert teacher > assistant > student > pruned == trained
    assert figures[-1]["train_seconds"] > figures[4]["train_seconds"] > 0
    assert [each.result for each in outcomes if each not in figures].count({"stored": True}) == 1


def test_a_transfer_begins_as_the_teacher_began_and_keeps_what_is_frozen(bench: Bench) -> None:
    outcomes = bench.run(transfer=True, trainable=0.0)
    assert outcomes[-1].result["parameters"] == outcomes[0].result["parameters"]
    torch.manual_seed(0)
    start, found = resolve(bench.reference).network(), bench.network(transfer=True, trainable=0.0)
    assert torch.equal(found[0].weight, start[0].weight)
    assert torch.equal(found[1].running_mean, start[1].running_mean)
    assert not torch.equal(found[9].weight, start[9].weight)
    assert all(parameter.requires_grad for parameter in found.parameters())


LOADED = """

def load_network():
    '''As a model that loads weights from a file: every call gives the same ones.'''
    network, random = make_network(), torch.Generator().manual_seed(9)
    for weights in network.parameters():
        weights.data = 0.1 * torch.randn(weights.shape, generator=random)
    return network


WORKLOAD = Workload("small", load_network, make_splits, training=TrainingPlan(epochs=1, batch_size=16))
"""


def test_a_transfer_begins_with_the_weights_that_the_model_loads(tmp_path: Path) -> None:
    bench = Bench(tmp_path, LOADED)
    bench.run(transfer=True, trainable=0.0)
    found, loaded = bench.network(transfer=True, trainable=0.0), resolve(bench.reference).network()
    assert torch.equal(found[0].weight, loaded[0].weight)
    assert torch.equal(found[3].weight, loaded[3].weight)


@pytest.mark.parametrize(
    ("choices", "stage", "frozen"),
    [
        ({"student_width": 0.5}, "training", False),
        ({"student_width": 0.5, "distillation_weight": 0.7, "distillation_assistant": 0.75}, "fine_tuning", False),
        ({"student_width": 0.5, "channel_pruning": 0.5, "train_before_pruning": True}, "fine_tuning", False),
        ({"channel_pruning": 0.5}, "training", True),
        ({"transfer": True}, "training", True),
    ],
)
def test_what_the_plan_of_the_workload_freezes_is_trained_where_the_weights_are_new(
    choices: dict[str, Any], stage: str, frozen: bool
) -> None:
    plan = TrainingPlan(epochs=1, trainable=0.0, layer_decay=0.5)
    facts = WorkloadFacts("small", "f" * 64, training=vars(plan))
    space = make_space({**SPACE, "trainable": [0.0]}, Environment())
    stages = CandidateStages(space, facts, "small", 0, lambda epochs: (epochs,))
    tasks = stages.network(Configuration({**space.baseline(), **choices}))
    trained = [task.settings for task in tasks if task.stage == stage]
    assert {(own["trainable"], own["layer_decay"]) for own in trained} == {(0.0, 0.5) if frozen else (1.0, 1.0)}
