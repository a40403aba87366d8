"""A candidate with early exits is trained with them, given its threshold, lowered, and timed over many inputs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from runners_tests.small_workload import write_small_workload

from runners.backends import find_backend
from runners.chains.chain import Chains
from runners.lowering.weights import load_network
from runners.measuring.varied_inputs import TIMED_INPUTS, inputs_to_time
from runners.runner import WorkloadFacts
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.early_exits.network import NEVER, exits_of
from spaces.environment import BackendFacts, Environment
from spaces.errors import RequestError
from spaces.space_document import make_space

FP32 = ("fp32",)
MACHINE = Environment(
    backends={
        "eager": BackendFacts(FP32, skips_layers=True),
        "onnxruntime": BackendFacts(FP32, skips_layers=True),
        "torchscript": BackendFacts(FP32, runs_all_because="it records one way"),
    }
)


@pytest.fixture(autouse=True)
def _own_leases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))


def test_a_chain_with_exits_is_measured_over_inputs_of_the_validation_split(tmp_path: Path) -> None:
    reference = write_small_workload(tmp_path)
    workload = resolve(reference)
    facts = WorkloadFacts("small", "f" * 64, training=asdict(workload.training))
    choices = {"early_exits": 1, "exit_accuracy_loss": 0, "runtime": "onnxruntime"}
    space = make_space({name: [value] for name, value in choices.items()}, MACHINE)
    chains = Chains(space, facts, reference, 0)
    configuration = Configuration({**space.baseline(), **choices})
    assert not chains.screening(configuration), "its speed is known only once it is trained"
    again = Configuration.from_json(configuration.canonical())
    assert [task.key for task in chains.chain(again)] == [task.key for task in chains.chain(configuration)]
    tasks, store, results = chains.chain(configuration), FolderStore(tmp_path / "store"), []
    for task in tasks:
        outcome = run_stage(task, store)
        assert outcome.failure is None, outcome.failure
        results.append(outcome.result)
    names = ["teacher", "transforming", "fine_tuning", "transforming", "lowering", "measuring"]
    assert [task.stage for task in tasks] == names
    measured, teacher = results[-1], results[0]
    assert measured["timed_inputs"] == TIMED_INPUTS
    assert measured["macs"] < teacher["macs"] < results[1]["macs"]
    _require_same_answers(tasks, store, workload)


def _require_same_answers(tasks: Any, store: FolderStore, workload: Any) -> None:
    """The lowered artifact answers as the network, for inputs that leave early and for others."""
    heads, chosen, lowered = (store.get(task.key) for task in (tasks[2], tasks[3], tasks[4]))
    assert heads
    assert chosen
    assert lowered
    before, network = (load_network(workload.network, entry.folder) for entry in (heads, chosen))
    assert float(exits_of(before)[0].threshold) == NEVER
    assert 0 <= float(exits_of(network)[0].threshold) < 1
    _require_constants_in_branches(lowered.folder / "model.onnx")
    predictor = find_backend("onnxruntime").open(lowered.folder, threads=1, batch=1)
    for inputs in inputs_to_time(workload, 1, 16):
        with torch.no_grad():
            expected = network(*map(torch.from_numpy, inputs))
        assert torch.allclose(torch.from_numpy(predictor(*inputs)), expected, atol=1e-4)


def _require_constants_in_branches(path: Path) -> None:
    """A branch holds what it alone reads, which ONNX Runtime fuses there, and nothing else, of which it would warn."""
    graph = onnx.load(path).graph
    (node,) = [node for node in graph.node if node.op_type == "If"]
    outside = {name for node in graph.node for name in node.input}
    for branch in (attribute.g for attribute in node.attribute):
        read = {name for node in branch.node for name in node.input}
        held = {each.name for each in branch.initializer}
        assert held <= read
        assert not {each.name for each in graph.initializer} & (read - outside)
        assert bool(held) == (branch.node[-1].op_type == "Gemm"), "the branch that computes the rest has its weights"


def test_a_runtime_that_computes_every_layer_is_refused_with_the_reason() -> None:
    said = "torchscript computes every layer for every input, so that an early exit saves nothing: it records one way"
    with pytest.raises(RequestError, match=said):
        make_space({"early_exits": [1], "runtime": ["torchscript"]}, MACHINE)
    space = make_space({"early_exits": [0, 1], "runtime": "every"}, MACHINE)
    chosen = {(one["early_exits"], one["runtime"]) for one in space.configurations()}
    assert chosen == {(0, "eager"), (0, "onnxruntime"), (0, "torchscript"), (1, "eager"), (1, "onnxruntime")}
