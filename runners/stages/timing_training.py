"""Time steps of a candidate's training in turn with steps of the teacher's network, which one worker trains."""

from typing import Any

from runners.measuring.candidate_figures import figures_of_training
from runners.measuring.stopwatch import TimingSettings
from runners.measuring.training_pair import TimedTraining, TrainingPair, time_training
from runners.stages.job import StageJob
from runners.training.settings import TrainingSettings


def run(job: StageJob) -> dict[str, Any]:
    """Figures: those of `figures_of_training`, and ``unstable``. It writes no files.

    The input ``parent`` has the network that is trained, ``learns_from`` what it learns from, and ``teacher`` the
    network with which it is compared. Without an input ``reference`` the training is that of the teacher's network.

    Raises:
        StageFailed: A worker raised, died or hung.
    """
    settings = job.task.settings
    own, plain = TrainingSettings.from_json(settings), TrainingSettings.from_json(settings["reference"])
    learns_from = job.inputs["learns_from"].folder if own.plan.distils else None
    candidate = TimedTraining(own, job.parent.folder, learns_from, settings["threads"])
    baseline = TimedTraining(plain, job.inputs["teacher"].folder, None, settings["reference_threads"])
    timing = time_training(
        job.task.workload,
        TrainingPair(candidate, baseline, TimingSettings(settings["budget_s"], job.task.seed)),
    )
    examples = len(job.workload.splits["train"])
    if "reference" not in job.inputs:
        rate = min(plain.plan.batch_size, examples) / timing.baseline_p50_ms * 1e3
        return {**figures_of_training(rate, (1.0, 1.0, 1.0), 0), "unstable": timing.unstable}
    larger = min(own.plan.batch_size, examples) / min(plain.plan.batch_size, examples)
    faster = tuple(larger * ratio for ratio in (timing.speedup, *timing.speedup_ci95))
    rate = job.inputs["reference"].result["train_throughput_per_s"]
    return {**figures_of_training(rate, faster, settings["trained_examples"]), "unstable": timing.unstable}
