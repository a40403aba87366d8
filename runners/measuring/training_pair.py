"""Steps of one training timed in turn with those of another, which one process does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from runners.lowering.weights import load_network
from runners.machine.accelerator import torch_device, wait_for
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings, time_pair
from runners.training.batches import batches
from runners.training.settings import Level, TrainingSettings
from runners.training.steps import prepared_steps
from runners.training.strategies import strategy_of
from runners.training.worker_processes import run_workers
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan

NO_END = 10**6
"""Epochs of a training whose steps are timed: more than anybody waits for."""
TINY_RATE = 1e-12
"""Its learning rate: the weights stay as they are, so that no step differs from the others."""


@dataclass(frozen=True)
class TimedTraining:
    """A training whose steps are timed.

    Attributes:
        settings: How it trains; epochs and learning rate are not read.
        network: Folder of the network that is trained.
        teacher: Folder of its teacher; None without distillation.
        threads: Threads of each worker.
    """

    settings: TrainingSettings
    network: Path
    teacher: Path | None
    threads: int

    @property
    def plan(self) -> TrainingPlan:
        """Its plan."""
        return self.settings.plan


@dataclass(frozen=True)
class TrainingPair:
    """Two trainings of one workload.

    Attributes:
        candidate: May have several workers.
        baseline: What it is compared with, by one worker, on the device of the candidate's first one.
        settings: How long to time.
    """

    candidate: TimedTraining
    baseline: TimedTraining
    settings: TimingSettings


def time_training(reference: Any, pair: TrainingPair) -> PairedTiming:
    """Time steps of the candidate in turn with steps of the baseline; a call of the result is one step of each.

    A step reads its batch, as it does in a training. While the baseline has its turn, the other workers of the
    candidate wait. The first one tells them of each step, which counts as a part of it.

    Args:
        reference: Names the workload; every worker resolves it.
        pair: What is timed.

    Raises:
        StageFailed: A worker raised, died or hung.
    """
    plan = pair.candidate.plan
    if not strategy_of(plan).processes:
        return _lead(resolve(reference), pair)
    timing: PairedTiming = run_workers(_work, reference, plan.workers, pair.candidate.threads, pair)[0]
    return timing


def _lead(workload: Workload, pair: TrainingPair, tell: Callable[[], object] = lambda: None) -> PairedTiming:
    """The timing by the first worker, which calls ``tell`` before each step that it shares with others."""
    with _step(workload, pair.candidate, pair.settings.seed) as shared:

        def step() -> None:
            tell()
            shared()

        with _step(workload, pair.baseline, pair.settings.seed) as alone:
            return time_pair(step, alone, pair.settings)


def _work(rank: int, workload: Workload, pair: TrainingPair) -> PairedTiming | None:
    """What a worker does: the first one leads, and the others take each step of which it tells them."""
    orders = distributed.new_group(backend="gloo")
    if rank == 0:
        timing = _lead(workload, pair, partial(_order, orders, go_on=True))
        _order(orders, go_on=False)
        return timing
    with _step(workload, pair.candidate, pair.settings.seed, rank) as step:
        while _order(orders):
            step()
    return None


def _order(group: Any, go_on: bool = False) -> bool:
    """What the first worker says, to it and to the others."""
    order = torch.tensor([go_on])
    distributed.broadcast(order, 0, group=group)
    return bool(order)


@contextmanager
def _step(workload: Workload, timed: TimedTraining, seed: int, rank: int = 0) -> Iterator[Callable[[], None]]:
    """A function that takes one step of ``timed`` with as many threads as it asks for, and waits until it is done."""
    device = torch_device(rank)
    network = load_network(workload.network, timed.network).to(memory_format=torch.channels_last).to(device)
    teacher = None
    if timed.teacher is not None:
        teacher = load_network(workload.network, timed.teacher).requires_grad_(False).to(device)
    plan = replace(timed.plan, epochs=NO_END, learning_rate=TINY_RATE)
    level = Level.whole(replace(timed.settings, plan=plan), seed)
    with prepared_steps(network, workload, level, teacher, rank=rank) as steps:
        given = batches(workload, level, steps.share.data_rank, distils=teacher is not None and plan.distils)

        def step() -> None:
            torch.set_num_threads(timed.threads)
            steps.take(next(given))
            wait_for(device)

        yield step
