"""Data-parallel training on one machine: processes that split every batch and average their gradients.

Where there are enough accelerators each process has one of its own, and they communicate by its own backend, such as
NCCL. Otherwise they communicate by gloo, on the processor or on accelerators that they share, which NCCL refuses.

Batch normalisation in training uses the statistics of each process's own share of the batch, and the running statistics
kept are those of the first process, as in `torch.nn.parallel.DistributedDataParallel`. (`torch.nn.SyncBatchNorm` needs
accelerators.) So a network with it gets other weights from two processes than from one with the same batch size.
"""

import tempfile
from typing import Any

from runners.processes.fresh_process import FreshProcess
from runners.training.settings import Level, LevelFolders

TIMEOUT_S = 24 * 3600.0
"""How long a training may take."""


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
        StageFailed: A worker raised or died.
    """
    workers = level.settings.plan.workers
    with tempfile.TemporaryDirectory() as rendezvous:
        store = f"file://{rendezvous}/store"
        processes = [FreshProcess(_worker, rank, store, reference, level, folders, threads) for rank in range(workers)]
        try:
            seconds = [process.result(TIMEOUT_S, f"training worker {rank}") for rank, process in enumerate(processes)]
            return float(seconds[0])
        finally:
            for process in processes:
                process.end()


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
        return train_level(workload, level, folders, rank=rank, workers=workers)
    finally:
        distributed.destroy_process_group()
