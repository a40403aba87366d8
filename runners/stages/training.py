"""Train a changed network, alone or data-parallel, from labels and the teacher's soft targets."""

import time
from typing import Any

import torch

from runners.parallelism.data import train_in_parallel
from runners.stages.job import StageJob
from runners.training_loop import train
from runners.weights import load_network, save_network


def run(job: StageJob) -> dict[str, Any]:
    """Write the trained weights. Figures: the parent's, with the seconds added to ``train_seconds``."""
    begin = time.perf_counter()
    settings = job.task.settings
    distils = settings["distillation_weight"] > 0
    teacher = job.inputs["teacher"].folder if distils else None
    if settings["workers"] > 1:
        threads = max(1, job.task.cpus // settings["workers"])
        train_in_parallel(
            job.task.workload, job.parent.folder, teacher, settings, job.task.seed, threads, to=job.folder
        )
    else:
        torch.set_num_threads(job.task.cpus)
        torch.manual_seed(job.task.seed)
        network = load_network(job.workload.model, job.parent.folder).to(memory_format=torch.channels_last)
        guide = load_network(job.workload.model, teacher).eval().requires_grad_(False) if teacher else None
        train(network, job.workload, settings, job.task.seed, teacher=guide)
        save_network(network, job.folder)
    carried = job.carried()
    return {**carried, "train_seconds": carried["train_seconds"] + time.perf_counter() - begin}
