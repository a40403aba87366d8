"""Train a changed network up to a level, alone or data-parallel, from labels and the teacher's soft targets."""

from typing import Any

import torch

from runners.lowering.torch_predictor import torch_predictor
from runners.lowering.weights import load_network
from runners.measuring.quality import EVALUATION_BATCH, predict, quality
from runners.stages.job import StageJob
from runners.training.data_parallel import train_in_parallel
from runners.training.level import train_level


def run(job: StageJob) -> dict[str, Any]:
    """Write the weights and, where a level follows, what training goes on with.

    Figures: the parent's; ``epochs`` done so far; ``accuracy`` and ``accuracy_ci95`` of the network itself on the
    validation split; and ``train_seconds``, which grows by the time of the training alone: not by that of judging,
    of loading and writing, or of starting processes.
    """
    torch.set_num_threads(job.task.cpus)
    carried, seconds = job.carried(), _train(job)
    value, interval = _judge(job)
    return {
        **carried,
        "train_seconds": carried["train_seconds"] + seconds,
        "epochs": job.task.settings["to_epoch"],
        "accuracy": value,
        "accuracy_ci95": list(interval),
    }


def _train(job: StageJob) -> float:
    settings, seed = job.task.settings, job.task.seed
    teacher = job.inputs["teacher"].folder if settings["distillation_weight"] > 0 else None
    if settings["workers"] == 1:
        return train_level(job.workload, job.parent.folder, teacher, settings, seed, job.folder)
    threads = max(1, job.task.cpus // settings["workers"])
    return train_in_parallel(job.task.workload, job.parent.folder, teacher, settings, seed, threads, to=job.folder)


def _judge(job: StageJob) -> tuple[float, tuple[float, float]]:
    """The quality of the network that was written, and its interval."""
    network = load_network(job.workload.model, job.folder).to(memory_format=torch.channels_last)
    predictor = torch_predictor(network, job.task.cpus)
    return quality(job.workload, *predict(predictor, job.workload.splits["validation"], EVALUATION_BATCH))
