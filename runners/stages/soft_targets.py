"""Call a teacher on the batches of a training, once for all networks that learn from it with the same batches."""

from typing import Any

import torch

from runners.lowering.weights import load_network
from runners.machine.accelerator import torch_device
from runners.stages.job import StageJob
from runners.training.settings import Level
from runners.training.soft_targets import soft_targets, write_soft_targets


def run(job: StageJob) -> dict[str, Any]:
    """Write its outputs. Figures: ``stored``, whether they were small enough; else each training calls the teacher."""
    torch.set_num_threads(job.task.cpus)
    teacher = load_network(job.workload.network, job.parent.folder).to(memory_format=torch.channels_last)
    level = Level.from_json(job.task.settings, job.task.seed)
    outputs = soft_targets(job.workload, level, teacher.to(torch_device(0)))
    if outputs is not None:
        write_soft_targets(outputs, job.folder)
    return {"stored": outputs is not None}
