"""Chains of sparse and shared weights: early weights are made again, masks hold, and the packed file is the model."""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from runners_tests.small_workload import write_small_workload

from runners.chains.chain import Chains
from runners.lowering.weights import load_network
from runners.packing.decode import decode
from runners.runner import StageTask, WorkloadFacts
from runners.stages.rewinding import rewind
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.environment import BackendFacts, Environment
from spaces.network_changes.parametrisations import remove_parametrisations
from spaces.network_changes.weight_masks import maskable
from spaces.space_document import make_space

MACHINE = Environment(backends={"eager": BackendFacts(("fp32",)), "onnxruntime": BackendFacts(("fp32",))})


@pytest.fixture(autouse=True)
def _own_leases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))


def _chains(folder: Path, **choices: Any) -> tuple[Chains, tuple[StageTask, ...]]:
    reference = write_small_workload(folder)
    facts = WorkloadFacts("small", "f" * 64, training=asdict(resolve(reference).training))
    names = {name: [value] for name, value in choices.items()}
    chains = Chains(make_space({**names, "runtime": ["eager", "onnxruntime"]}, MACHINE), facts, reference, 0)
    return chains, chains.chain(Configuration({**chains.space.baseline(), **choices}))


def _run(tasks: tuple[StageTask, ...], store: FolderStore) -> dict[str, Any]:
    results = {}
    for task in tasks:
        outcome = run_stage(task, store)
        assert outcome.failure is None, outcome.failure
        results[task.stage] = outcome.result
    return results


def _network(task: StageTask, store: FolderStore) -> Any:
    entry = store.get(task.key)
    assert entry is not None
    network = load_network(resolve(task.workload).network, entry.folder)
    remove_parametrisations(network)
    return network


def test_a_lottery_ticket_begins_with_the_weights_that_the_teacher_had_early(tmp_path: Path) -> None:
    _, tasks = _chains(tmp_path, weight_sparsity=0.6, sparsity_method="lottery")
    names = ["teacher", "transforming", "teacher", "rewinding", "fine_tuning", "transforming", "rewinding"]
    assert [task.stage for task in tasks[:7]] == names
    assert tasks[2].settings["to_epoch"] == 1
    assert tasks[6].inputs["early"] == tasks[2].key
    store = FolderStore(tmp_path / "store")
    _run(tasks[:7], store)
    teacher, early, rewound = (_network(tasks[index], store) for index in (0, 2, 6))
    zeros = {name: layer.weight == 0 for name, layer in maskable(rewound).items()}
    assert sum(int(zero.sum()) for zero in zeros.values()) == pytest.approx(
        0.6 * sum(z.numel() for z in zeros.values()), abs=2
    )
    for name, layer in maskable(rewound).items():
        expected = torch.where(zeros[name], 0.0, early.get_submodule(name).weight)
        assert torch.equal(layer.weight, expected)
    assert not torch.equal(early[0].weight, teacher[0].weight)
    assert torch.equal(rewound[1].running_mean, early[1].running_mean)


def test_a_student_is_rewound_to_its_own_early_weights(tmp_path: Path) -> None:
    chains, tasks = _chains(tmp_path, student_width=0.5, weight_sparsity=0.5, sparsity_method="lottery")
    early, rewinding = next((before, task) for before, task in pairwise(tasks) if task.stage == "rewinding")
    student = next(task for task in tasks if task.settings.get("technique") == "student_width")
    assert (early.stage, early.settings["to_epoch"], early.inputs["parent"]) == ("fine_tuning", 1, student.key)
    assert rewinding.inputs["early"] == early.key
    assert not [
        task for task in chains.screening(Configuration.from_json(early.configuration)) if "early" in task.inputs
    ]


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(Exception, match="the early weights do not fit the network: weight was changed since"):
        rewind(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))


@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
def test_the_packed_file_holds_the_artifact_with_its_zeros_and_few_values(runtime: str, tmp_path: Path) -> None:
    pytest.importorskip("constriction", reason="needs `pip install 'frontrunner[packing]'`")
    _, tasks = _chains(tmp_path, weight_sparsity=0.8, weight_clusters=8, runtime=runtime)
    *before, measuring = tasks
    store = FolderStore(tmp_path / "store")
    results = _run(tuple(before), store)
    packing = before[-1]
    assert measuring.inputs["packed"] == packing.key
    entry, lowered = store.get(packing.key), store.get(packing.inputs["parent"])
    assert entry is not None
    assert lowered is not None
    files, arrays = decode(entry.folder / "model.packed")
    assert files == {file.name: file.read_bytes() for file in lowered.folder.iterdir()}
    assert results["packing"]["stored_mib"] == (entry.folder / "model.packed").stat().st_size / 2**20
    weights = _network(next(task for task in reversed(before) if task.stage == "fine_tuning"), store)[3].weight
    assert len(weights.unique()) <= 8
    assert (weights == 0).float().mean() > 0.6
    packed = next(array for array in arrays.values() if array.shape == tuple(weights.shape))
    assert packed.tobytes() == weights.detach().numpy().tobytes()
