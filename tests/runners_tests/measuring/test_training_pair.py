"""Steps of a training by several workers, timed in turn with those of one process: who takes which."""

from collections import Counter
from pathlib import Path

import pytest

from runners.lowering.weights import save_network
from runners.measuring.stopwatch import TimingSettings
from runners.measuring.training_pair import TimedTraining, TrainingPair, time_training
from runners.runner import StageFailed
from runners.training.settings import TrainingSettings
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan

WORKLOAD = """
import os
from pathlib import Path
import torch
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits


def loss(outputs, targets):
    with Path(__file__).with_name("steps").open("a") as file:
        file.write(f"{os.getpid()} {len(targets)} {torch.get_num_threads()}\\n")
    HAPPENS
    return torch.nn.functional.cross_entropy(outputs, targets)


WORKLOAD = Workload("counted", make_network, make_splits, loss=loss)
"""


def pair_in(folder: Path, strategy: str = "data-parallel", workers: int = 2, happens: str = "pass") -> TrainingPair:
    (folder / "counted.py").write_text(WORKLOAD.replace("HAPPENS", happens))
    save_network(resolve(reference(folder)).model(), folder)
    shared = TrainingPlan(batch_size=40, workers=workers, strategy=strategy)
    candidate = TimedTraining(TrainingSettings(shared), folder, None, threads=1)
    baseline = TimedTraining(TrainingSettings(TrainingPlan(batch_size=30)), folder, None, threads=2)
    return TrainingPair(candidate, baseline, TimingSettings(budget_s=0.05, seed=3))


def reference(folder: Path) -> str:
    return f"{folder / 'counted.py'}:WORKLOAD"


def steps_taken(folder: Path) -> Counter[tuple[int, int, int]]:
    """How often a process, its examples and its threads were seen in a step."""
    lines = (folder / "steps").read_text().splitlines()
    return Counter(tuple(map(int, line.split())) for line in lines)  # type: ignore[misc]


def test_both_workers_take_every_step_of_the_candidate_and_the_first_alone_those_of_the_baseline(
    tmp_path: Path,
) -> None:
    timing = time_training(reference(tmp_path), pair_in(tmp_path))
    taken = steps_taken(tmp_path)
    shared = {process: count for (process, examples, threads), count in taken.items() if (examples, threads) == (20, 1)}
    alone = {process: count for (process, examples, threads), count in taken.items() if (examples, threads) == (30, 2)}
    assert len(taken) == 3, "nothing else was called"
    assert len(shared) == 2
    assert len(set(shared.values())) == 1
    assert len(alone) == 1
    assert set(alone) < set(shared)
    assert timing.blocks >= 1
    assert timing.speedup_ci95[0] <= timing.speedup <= timing.speedup_ci95[1]


def test_one_worker_takes_the_steps_of_both(tmp_path: Path) -> None:
    pair = pair_in(tmp_path, workers=1)
    time_training(reference(tmp_path), pair)
    assert len({process for process, _, _ in steps_taken(tmp_path)}) == 1
    assert {(examples, threads) for _, examples, threads in steps_taken(tmp_path)} == {(40, 1), (30, 2)}


def test_a_worker_that_fails_ends_the_timing_with_its_reason(tmp_path: Path) -> None:
    happens = "if torch.distributed.get_rank() == 1: raise ValueError('no luck')"
    with pytest.raises(StageFailed, match="training worker 1: ValueError: no luck"):
        time_training(reference(tmp_path), pair_in(tmp_path, happens=happens))
