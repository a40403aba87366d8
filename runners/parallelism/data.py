"""Data-parallel training on one machine: processes that split every batch and average their gradients."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.processes import FreshProcess

TIMEOUT_S = 24 * 3600.0


def train_in_parallel(
    workload: Any, parent: Path, teacher: Path | None, settings: Mapping[str, Any], seed: int, threads: int, to: Path
) -> None:
    """Train the network in ``parent`` with ``settings["workers"]`` processes over gloo and save it in ``to``.

    Args:
        workload: Its reference; every worker resolves it.
        parent: Folder with the network's weights.
        teacher: Folder with the teacher's, or None without distillation.
        settings: See `runners.training_loop.train`.
        seed: See there.
        threads: Threads of each worker.
        to: Where the first worker writes the trained weights.

    Raises:
        StageFailed: A worker raised or died.
    """
    workers = settings["workers"]
    with tempfile.TemporaryDirectory() as meeting:
        started = [
            FreshProcess(
                _worker, rank, workers, f"{meeting}/store", workload, parent, teacher, dict(settings), seed, threads, to
            )
            for rank in range(workers)
        ]
        try:
            for rank, process in enumerate(started):
                process.result(TIMEOUT_S, f"training worker {rank}")
        finally:
            for process in started:
                process.end()


def _worker(
    rank: int,
    workers: int,
    meeting: str,
    workload: Any,
    parent: Path,
    teacher: Path | None,
    settings: dict[str, Any],
    seed: int,
    threads: int,
    to: Path,
) -> None:
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    from runners.training_loop import train
    from runners.weights import load_network, save_network
    from runners.workload_reference import resolve

    torch.set_num_threads(threads)
    torch.manual_seed(seed + rank)
    resolved = resolve(workload)
    network = load_network(resolved.model, parent).to(memory_format=torch.channels_last)
    guide = load_network(resolved.model, teacher).eval().requires_grad_(False) if teacher else None
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=workers)
    try:
        train(DistributedDataParallel(network), resolved, settings, seed, teacher=guide, rank=rank, workers=workers)
    finally:
        distributed.destroy_process_group()
    if rank == 0:
        save_network(network.eval(), to)
