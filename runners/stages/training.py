"""Train a changed network up to a level, by one worker or several, from labels and the teacher's soft targets."""

from dataclasses import replace
from typing import Any

import torch

from runners.lowering.torch_predictor import torch_predictor
from runners.lowering.weights import load_network
from runners.measuring.candidate_figures import EPOCH_LOSSES
from runners.quality.quality import EVALUATION_BATCH, Quality, predict, quality
from runners.stages.job import StageJob
from runners.training.batches import batches_in_epoch
from runners.training.level import TrainedLevel, train_level
from runners.training.settings import Level, LevelFolders
from runners.training.strategies import strategy_of
from runners.training.worker_processes import train_in_parallel


def run(job: StageJob) -> dict[str, Any]:
    """Write the weights and, where a level follows, what training goes on with.

    Figures: the parent's; ``epochs`` done so far; ``accuracy`` and ``accuracy_ci95`` of the network itself on the
    validation split; and ``train_seconds``, which grows by the time of the training alone: not by that of evaluating,
    of loading and writing, of starting processes, or of calling the teacher where a stage before has done so;
    ``train_throughput_per_s`` of this level alone; and beside them `EPOCH_LOSSES`.
    """
    torch.set_num_threads(job.task.cpus)
    level = Level.from_json(job.task.settings, job.task.seed)
    trained_level = _train(job, level)
    seconds = trained_level.seconds
    found = _evaluate(job)
    examples = min(level.settings.plan.batch_size, len(job.workload.splits["train"]))
    seen = len(level.epochs) * batches_in_epoch(job.workload, level.settings.plan) * examples
    figures = replace(
        job.figures,
        train_seconds=job.figures.train_seconds + seconds,
        train_throughput_per_s=seen / seconds,
        epochs=level.epochs.stop,
        accuracy=found.value,
        accuracy_ci95=list(found.ci95),
    )
    return {**figures.to_json(), EPOCH_LOSSES: trained_level.losses}


def _train(job: StageJob, level: Level) -> TrainedLevel:
    plan = level.settings.plan
    known = job.inputs.get("soft_targets")
    soft_targets = known.folder if known is not None and known.result["stored"] else None
    teacher = job.inputs["teacher"].folder if plan.distils and soft_targets is None else None
    folders = LevelFolders(job.parent.folder, teacher, job.folder, soft_targets)
    if not strategy_of(plan).processes:
        return train_level(job.workload, level, folders)
    threads = max(1, job.task.cpus // plan.workers)
    return train_in_parallel(job.task.workload, level, folders, threads)


def _evaluate(job: StageJob) -> Quality:
    """The quality of the network that was written."""
    network = load_network(job.workload.network, job.folder).to(memory_format=torch.channels_last)
    predictor = torch_predictor(network, job.task.cpus)
    return quality(job.workload, *predict(predictor, job.workload.splits["validation"], EVALUATION_BATCH))
