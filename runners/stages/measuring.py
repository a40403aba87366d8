"""Measure the artifact: quality and speed in pairs with the baseline, then as replicas that serve at the same time."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from runners.measuring.candidate_figures import with_training
from runners.measuring.measurement import Measurement, figures_of, require_finite
from runners.measuring.opening import Artifact, Original
from runners.measuring.pair import PairResult, evaluate_artifact, measure_pair
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.varied_inputs import inputs_to_time
from runners.processes.fresh_process import call_fresh
from runners.quality.quality import Accuracies
from runners.runner import StageFailed
from runners.serving.replicas import Serving, serve
from runners.stages.comparing import timing_request
from runners.stages.evaluating import accuracies_from_json, accuracies_to_json
from runners.stages.job import StageJob

SERVING_S = 0.3
FROM_LOWERING = ("size_mib", "stored_mib", "lowering_seconds", "macs", "parameters")
"""The figures that the lowering gives."""
TUNED = "TF32, channels_last"
"""How an accelerator computes what is tuned, in words."""


def run(job: StageJob) -> dict[str, Any]:
    """Figures: those of `figures_to_json`. It writes no files.

    The artifact's outputs are compared with those of its input ``network``, where there is one, before anything else.
    Where the settings name no splits, the artifact is untrained and is only timed. Where there is an input ``speed``,
    the result of timing the same candidate, untrained or not, the artifact is only evaluated. Where there is an input
    ``evaluated``, that was done before for all numbers of threads: it is timed, and serves where the settings say so.
    An input ``training_speed`` has the figures of its training.

    Raises:
        StageFailed: The artifact crashed, hung, or gave outputs that are wrong or not finite.
    """
    lowered, settings = job.parent.result, job.task.settings
    tuned = settings.get("baseline_tuned", False)
    timed_inputs = lowered.get("timed_inputs", 1)
    artifact = Artifact(job.parent.folder, lowered["runtime"], settings["serving"]["threads"], tuned, timed_inputs)
    if "evaluated" in job.inputs:
        pair = call_fresh(measure_pair, timing_request(job, artifact), (), what="the measuring process")
        pair = replace(pair, accuracies=accuracies_from_json(job.inputs["evaluated"].result))
        serving = _serve(job, artifact) if settings["serves"] else Serving()
    elif "speed" in job.inputs:
        pair, serving = speed_from_json(job.inputs["speed"].result)
        pair = replace(pair, accuracies=_evaluate(job, artifact))
    else:
        pair, serving = _measure(job, artifact), _serve(job, artifact)
    figures = figures_to_json(pair, serving, {**lowered, "stored_mib": _stored_mib(job)})
    if "training_speed" in job.inputs:
        figures = with_training(figures, job.inputs["training_speed"].result)
    on_accelerator = pair.device_p50_ms is not None
    return {**figures, "arithmetic": TUNED} if tuned and on_accelerator else figures


def figures_to_json(pair: PairResult, serving: Serving, lowered: Mapping[str, Any]) -> dict[str, Any]:
    """The result of this stage: the fields of `Measurement`, those of `PairedTiming`, and ``answers``.

    ``answers`` has those of `Accuracies` as JSON. Of an artifact that was not evaluated there are no accuracies, no
    answers and no ``train_seconds``.

    Args:
        pair: What was measured beside the baseline.
        serving: What was measured of the replicas.
        lowered: The result of the lowering, which has the size, and ``stored_mib``.

    Raises:
        ValueError: A figure is not finite.
    """
    figures = {
        **pair.timing.to_json(),
        **vars(serving),
        **{name: lowered[name] for name in FROM_LOWERING},
        "device_p50_ms": pair.device_p50_ms,
    }
    if pair.accuracies is None:
        require_finite(figures)
        return figures
    evaluated = accuracies_to_json(pair.accuracies)
    trained = {**figures_of(evaluated), "train_seconds": lowered["train_seconds"]}
    measurement = Measurement(**figures_of(figures), **trained)
    return {**figures, **measurement.to_json(), "answers": evaluated["answers"]}


def speed_from_json(result: Mapping[str, Any]) -> tuple[PairResult, Serving]:
    """What the result of this stage says of speed; without accuracies."""
    serving = Serving(**{entry.name: result[entry.name] for entry in fields(Serving)})
    return PairResult(PairedTiming.from_json(result), result["device_p50_ms"]), serving


def _stored_mib(job: StageJob) -> float | None:
    """The size of the packed artifact, or of the artifact itself where it is not packed; None where that is not known
    because the weights of what is packed are not trained yet.
    """
    if "packed" in job.inputs:
        return float(job.inputs["packed"].result["stored_mib"])
    return None if job.task.settings.get("packs") else float(job.parent.result["size_mib"])


def _original(job: StageJob) -> Original | None:
    if "network" not in job.inputs:
        return None
    return Original(job.inputs["network"].folder, job.parent.result["precision"])


def _evaluate(job: StageJob, artifact: Artifact) -> Accuracies:
    given = job.task.workload, artifact, tuple(job.task.settings["splits"]), _original(job)
    accuracies: Accuracies = call_fresh(evaluate_artifact, *given, what="the measuring process")
    return accuracies


def _measure(job: StageJob, artifact: Artifact) -> PairResult:
    given = timing_request(job, artifact), tuple(job.task.settings["splits"]), _original(job)
    pair: PairResult = call_fresh(measure_pair, *given, what="the measuring process")
    return pair


def _serve(job: StageJob, artifact: Artifact) -> Serving:
    """The serving by the plan of the settings, or by the best of several ``servings``.

    Load time and memory are those of the first. A plan after the first that fails, as where memory does not suffice, is
    left out.
    """
    batch = job.task.settings.get("batch", job.workload.serving_batch)
    inputs = inputs_to_time(job.workload, batch, artifact.timed_inputs)

    def served(plan: Mapping[str, int]) -> Serving:
        opened = replace(artifact, threads=plan["threads"])
        return serve(opened, job.task.workload, plan["replicas"], inputs, SERVING_S, job.workload.keywords)

    if "servings" not in job.task.settings:
        return served(job.task.settings["serving"])
    first, *others = job.task.settings["servings"]
    found = [replace(served(first), served_with=first)]
    for plan in others:
        with suppress(StageFailed):
            found.append(replace(served(plan), served_with=plan))
    best = max(found, key=lambda serving: serving.throughput_per_s or 0.0)
    return replace(best, load_ms=found[0].load_ms, peak_memory_mib=found[0].peak_memory_mib)
