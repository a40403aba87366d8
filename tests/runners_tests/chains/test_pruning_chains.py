"""Pruning in steps as stages: candidates share their beginning, and criteria get the losses of training examples."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from runners_tests.small_workload import write_small_workload

from runners.chains.chain import Chains
from runners.lowering.weights import load_network
from runners.runner import StageTask, WorkloadFacts
from runners.stages import transforming
from runners.stages.run import run_stage
from runners.store.folder_store import FolderStore
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.environment import BackendFacts, Environment
from spaces.space_document import make_space

MACHINE = Environment(backends={"eager": BackendFacts(("fp32",))})
CHOICES: dict[str, list[Any]] = {
    "student_width": [1.0, 0.5],
    "train_before_pruning": [False, True],
    "channel_pruning": [0.0, 0.5, 0.75, 0.875],
    "pruning_scope": ["uniform", "global", "sensitivity"],
    "pruning_criterion": ["l1", "taylor"],
    "pruning_steps": [1, 2, 3],
    "pruning_epochs": [1],
}


@pytest.fixture(autouse=True)
def _own_leases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))


def chains_of(reference: str) -> Chains:
    facts = WorkloadFacts("small", "f" * 64, training=asdict(resolve(reference).training))
    return Chains(make_space(CHOICES, MACHINE), facts, reference, seed=0)


def candidate(chains: Chains, **choices: Any) -> Configuration:
    point = {"pruning_scope": "uniform", "pruning_criterion": "l1", "pruning_steps": 1, **choices}
    return Configuration({**chains.space.baseline(), **point})


def stages(folder: Path, **choices: Any) -> tuple[StageTask, ...]:
    """The stages of a candidate up to its trained network."""
    chains = chains_of(write_small_workload(folder))
    tasks = chains.chain(candidate(chains, **choices))
    return tuple(task for task in tasks if task.stage not in ("lowering", "measuring"))


@pytest.mark.parametrize(
    ("choices", "screened"),
    [
        ({"pruning_steps": 2}, True),
        ({"pruning_scope": "global"}, True),
        ({"pruning_scope": "global", "pruning_steps": 2}, False),
        ({"pruning_scope": "global", "student_width": 0.5}, True),
        ({"pruning_scope": "global", "student_width": 0.5, "train_before_pruning": True}, False),
        ({"student_width": 0.5, "train_before_pruning": True}, True),
    ],
)
def test_where_a_training_decides_the_widths_a_candidate_is_not_timed_before_it(
    choices: dict[str, Any], screened: bool, tmp_path: Path
) -> None:
    chains = chains_of(write_small_workload(tmp_path))
    assert bool(chains.screening(candidate(chains, channel_pruning=0.5, **choices))) == screened


def test_candidates_that_remove_the_same_share_a_step_share_their_first_stages(tmp_path: Path) -> None:
    half, quarter, eighth = (
        [task.key for task in stages(tmp_path, channel_pruning=share, pruning_steps=steps)]
        for share, steps in ((0.5, 1), (0.75, 2), (0.875, 3))
    )
    assert half[:2] == quarter[:2]
    assert quarter[:4] == eighth[:4]
    assert len({*half, *quarter, *eighth}) < len(half) + len(quarter) + len(eighth) - 4
    names = [task.stage for task in stages(tmp_path, channel_pruning=0.75, pruning_steps=2)]
    assert names[:4] == ["teacher", "transforming", "fine_tuning", "transforming"]


@pytest.mark.parametrize("scope", ["global", "sensitivity"])
def test_steps_train_what_is_left_and_read_the_losses_of_training_examples(
    scope: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    losses = transforming.losses_of_examples

    def watched(workload: Any, seed: int, network: Any, count: int) -> Any:
        asked.append(count)
        return losses(workload, seed, network, count)

    monkeypatch.setattr(transforming, "losses_of_examples", watched)
    tasks = stages(tmp_path, channel_pruning=0.5, pruning_scope=scope, pruning_criterion="taylor", pruning_steps=2)
    store, sizes = FolderStore(tmp_path / "store"), []
    for task in tasks[:4]:
        outcome = run_stage(task, store)
        assert outcome.failure is None, outcome.failure
        entry = store.get(task.key)
        assert entry is not None
        network = load_network(resolve(task.workload).network, entry.folder)
        sizes.append(sum(parameter.numel() for parameter in network.parameters()))
    assert asked == [64, 64]
    assert sizes[0] > sizes[1] == sizes[2] > sizes[3]
