"""The teacher: the workload's own network, with its own weights or trained here first."""

import time
from dataclasses import replace
from typing import Any

import torch

from runners.lowering.weights import save_network
from runners.machine.accelerator import torch_device
from runners.measuring.candidate_figures import EPOCH_LOSSES, CandidateFigures
from runners.measuring.footprint import count_macs, count_parameters
from runners.quality.quality import teacher_outputs
from runners.quality.teacher_agreement import keep_outputs
from runners.stages.job import StageJob
from runners.training.loop import train
from runners.training.settings import Level, TrainingSettings
from spaces.network_changes.parametrisations import remove_parametrisations


def run(job: StageJob) -> dict[str, Any]:
    """Write the teacher's weights, and without labels its outputs, against which artifacts are judged.

    Where the settings have ``to_epoch``, its weights are those after so many epochs of its training, perhaps none.

    Figures: ``macs``, ``parameters``, ``train_seconds`` (0) and ``teacher_seconds``; beside them `EPOCH_LOSSES`.
    """
    torch.set_num_threads(job.task.cpus)
    torch.manual_seed(job.task.seed)
    network = job.workload.network()
    begin, losses = time.perf_counter(), dict[int, float]()
    if not job.workload.pretrained:
        placed = network.to(memory_format=torch.channels_last).to(torch_device())
        settings = TrainingSettings.from_json(job.task.settings["plan"])
        epochs = min(job.task.settings.get("to_epoch", settings.plan.epochs), settings.plan.epochs)
        if epochs:
            alone = replace(settings, plan=replace(settings.plan, workers=1))
            losses = train(placed, job.workload, Level(alone, range(epochs), job.task.seed)).losses
    network.to("cpu").eval()
    save_network(network, job.folder)
    if not job.workload.labelled:
        judged = [name for name in ("validation", "test") if name in job.workload.splits]
        keep_outputs(job.folder, {name: teacher_outputs(job.workload, name, job.task.cpus) for name in judged})
    remove_parametrisations(network)  # counted as it is lowered and timed
    figures = CandidateFigures(
        macs=count_macs(network, job.workload.example_inputs.arrays),
        parameters=count_parameters(network),
        train_seconds=0.0,
        teacher_seconds=time.perf_counter() - begin,
    )
    return {**figures.to_json(), EPOCH_LOSSES: losses}
