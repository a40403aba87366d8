"""What a stage asks of the machine that runs it."""

from spaces.environment import Environment

TRAINING_STAGES = ("training", "fine_tuning")
"""Stages that train a candidate."""
STAGES_THAT_TRAIN = ("teacher", *TRAINING_STAGES)
SOFT_TARGETS_STAGE = "soft_targets"
"""The stage that calls a teacher on the batches of a training."""
TIMING_TRAINING = "timing_training"
"""The stage that times steps of a training; it is a measurement."""
CALLING_NETWORKS = (*STAGES_THAT_TRAIN, SOFT_TARGETS_STAGE, TIMING_TRAINING)
"""Stages that train or call a network of PyTorch, on accelerators where there are some."""
EVALUATING_STAGES = ("measuring", "evaluating")
"""Stages that call an artifact, on the accelerator where its runtime uses it."""


def cpus_of(stage: str, machine: Environment, *, exclusive: bool, workers: int) -> int:
    """Cores for a stage: all of them where it is ``exclusive`` or trains the teacher, else some for each worker."""
    cores = machine.cpu_cores
    if exclusive or stage == "teacher":
        return cores
    # Small networks gain little from more than a few cores for one training process.
    cores_per_worker = max(1, cores // 4) if stage in (*TRAINING_STAGES, SOFT_TARGETS_STAGE) else 1
    return min(cores, workers * cores_per_worker)


def gpus_of(stage: str, machine: Environment, *, exclusive: bool, workers: int) -> int:
    """Accelerators for a stage: one for each worker that trains, one where an artifact is called, else none."""
    if not machine.accelerators:
        return 0
    return workers if stage in CALLING_NETWORKS else int(exclusive or stage in EVALUATING_STAGES)
