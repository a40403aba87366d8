"""Data-parallel training on one machine: processes that split every batch and average their gradients.

Each has an accelerator of its own where there are as many, and they speak over what is made for it (NCCL, say).
Otherwise they speak over gloo, on the processor or on accelerators that they share, which NCCL refuses.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.processes.fresh_process import FreshProcess

TIMEOUT_S = 24 * 3600.0
"""How long a training may take."""


def train_in_parallel(
    workload: Any, parent: Path, teacher: Path | None, settings: Mapping[str, Any], seed: int, threads: int, to: Path
) -> float:
    """Train one level with ``settings["workers"]`` processes; see `runners.training.level.train_level`.

    Args:
        workload: Its reference; every worker resolves it.
        parent: See there.
        teacher: See there.
        settings: See there.
        seed: See there.
        threads: Threads of each worker.
        to: Where the first worker writes the result.

    Returns:
        The seconds that the first worker spent on training.

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
            seconds = [process.result(TIMEOUT_S, f"training worker {rank}") for rank, process in enumerate(started)]
            return float(seconds[0])
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
) -> float:
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    from runners.machine.accelerator import process_group_backend, torch_device
    from runners.training.level import train_level
    from runners.workload_loading.reference import resolve

    torch.set_num_threads(threads)
    device = torch_device(rank)
    if device.type != "cpu":
        torch.accelerator.set_device_index(device)
    resolved = resolve(workload)
    backend = process_group_backend(device, workers)
    distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=workers)
    try:
        return train_level(
            resolved, parent, teacher, settings, seed, to, rank=rank, workers=workers, wrap=DistributedDataParallel
        )
    finally:
        distributed.destroy_process_group()
