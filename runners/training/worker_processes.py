"""Training by several processes of one machine, which share it as a strategy says.

Where there are enough accelerators each process has one of its own, and they communicate by its own backend, such as
NCCL. Otherwise they communicate by gloo, on the processor or on accelerators that they share, which NCCL refuses.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from runners.processes.fresh_process import HANG_TIMEOUT_S, FreshProcess, all_results
from runners.training.settings import Level, LevelFolders
from runners.workload import Workload

if TYPE_CHECKING:
    from runners.training.level import TrainedLevel


def train_in_parallel(reference: Any, level: Level, folders: LevelFolders, threads: int) -> "TrainedLevel":
    """Train one level with as many processes as the plan has ``workers``.

    Args:
        reference: Names the workload; every worker resolves it.
        level: How to train, and the epochs to train for.
        folders: Where to read and write.
        threads: Threads of each worker.

    Returns:
        How it went for the first worker.

    Raises:
        StageFailed: As `run_workers`.
    """
    trained: TrainedLevel = run_workers(_train, reference, level.settings.plan.workers, threads, level, folders)[0]
    return trained


def run_workers(work: Callable[..., Any], reference: Any, workers: int, threads: int, *given: Any) -> list[Any]:
    """What ``work(rank, workload, *given)`` returns in each of several fresh processes, which are one process group.

    Args:
        work: A function of a module.
        reference: Names the workload; every worker resolves it.
        workers: How many processes.
        threads: Threads of each.
        *given: What else ``work`` takes.

    Raises:
        StageFailed: A worker raised or died, or all of them did nothing for `HANG_TIMEOUT_S`.
    """
    with tempfile.TemporaryDirectory() as rendezvous, ExitStack() as started:
        processes: dict[str, FreshProcess] = {}
        store = f"file://{rendezvous}/store"
        for rank in range(workers):
            process = FreshProcess(_worker, work, rank, workers, store, reference, threads, given)
            processes[f"training worker {rank}"] = process
            started.callback(process.end)
        return all_results(processes, HANG_TIMEOUT_S)


def _worker(
    work: Callable[..., Any], rank: int, workers: int, store: str, reference: Any, threads: int, given: tuple[Any, ...]
) -> Any:
    import torch
    from torch import distributed

    from runners.machine.accelerator import process_group_backend, torch_device
    from runners.workload_loading.reference import resolve

    torch.set_num_threads(threads)
    device = torch_device(rank)
    if device.type != "cpu":
        torch.accelerator.set_device_index(device)
    workload = resolve(reference)
    backend = process_group_backend(device, workers)
    distributed.init_process_group(backend, init_method=store, rank=rank, world_size=workers)
    result = work(rank, workload, *given)
    # One that fails keeps its connections until its reason is told: the others fail when these are closed.
    distributed.destroy_process_group()
    return result


def _train(rank: int, workload: Workload, level: Level, folders: LevelFolders) -> "TrainedLevel":
    from runners.training.level import train_level

    return train_level(workload, level, folders, rank=rank)
