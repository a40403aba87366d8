"""Training by several processes of one machine, which share it as a strategy says.

Where there are enough accelerators each process has one of its own, and they communicate by its own backend, such as
NCCL. Otherwise they communicate by gloo, on the processor or on accelerators that they share, which NCCL refuses.
"""

import tempfile
from contextlib import ExitStack
from typing import Any

from runners.processes.fresh_process import HANG_TIMEOUT_S, FreshProcess, all_results
from runners.training.settings import Level, LevelFolders


def train_in_parallel(reference: Any, level: Level, folders: LevelFolders, threads: int) -> float:
    """Train one level with as many processes as the plan has ``workers``.

    Args:
        reference: Names the workload; every worker resolves it.
        level: How to train, and the epochs to train for.
        folders: Where to read and write.
        threads: Threads of each worker.

    Returns:
        The seconds that the first worker spent on training.

    Raises:
        StageFailed: A worker raised or died, or all of them did nothing for `HANG_TIMEOUT_S`.
    """
    with tempfile.TemporaryDirectory() as rendezvous, ExitStack() as started:
        processes: dict[str, FreshProcess] = {}
        for rank in range(level.settings.plan.workers):
            given = rank, f"file://{rendezvous}/store", reference, level, folders, threads
            processes[f"training worker {rank}"] = process = FreshProcess(_worker, *given)
            started.callback(process.end)
        return float(all_results(processes, HANG_TIMEOUT_S)[0])


def _worker(rank: int, store: str, reference: Any, level: Level, folders: LevelFolders, threads: int) -> float:
    import torch
    from torch import distributed

    from runners.machine.accelerator import process_group_backend, torch_device
    from runners.training.level import train_level
    from runners.workload_loading.reference import resolve

    torch.set_num_threads(threads)
    device = torch_device(rank)
    if device.type != "cpu":
        torch.accelerator.set_device_index(device)
    workload, workers = resolve(reference), level.settings.plan.workers
    backend = process_group_backend(device, workers)
    distributed.init_process_group(backend, init_method=store, rank=rank, world_size=workers)
    try:
        return train_level(workload, level, folders, rank=rank)
    finally:
        distributed.destroy_process_group()
