"""Evaluate an artifact once for all the ways in which it is served; nothing is timed."""

from collections.abc import Mapping
from typing import Any

from runners.measuring.measurement import figures_of
from runners.measuring.opening import Artifact, Original
from runners.measuring.pair import evaluate_artifact
from runners.processes.fresh_process import call_fresh
from runners.quality.answers import answers_of_stage
from runners.quality.quality import Accuracies
from runners.stages.job import StageJob


def run(job: StageJob) -> dict[str, Any]:
    """Figures: those of `accuracies_to_json`. It writes no files.

    The artifact's outputs are compared with those of its input ``network`` first.

    Raises:
        StageFailed: The artifact crashed, hung, or gave outputs that are wrong or not finite.
    """
    lowered, settings = job.parent.result, job.task.settings
    artifact = Artifact(job.parent.folder, lowered["runtime"], job.task.cpus, settings.get("baseline_tuned", False))
    original = Original(job.inputs["network"].folder, lowered["precision"])
    given = job.task.workload, artifact, tuple(settings["splits"]), original
    return accuracies_to_json(call_fresh(evaluate_artifact, *given, what="the evaluating process"))


def accuracies_to_json(accuracies: Accuracies) -> dict[str, Any]:
    """The accuracies under the names of `Measurement`, and ``answers`` as JSON by split."""
    answers = {split: one.to_json() for split, one in accuracies.answers.items()}
    return {**figures_of(vars(accuracies)), "answers": answers}


def accuracies_from_json(result: Mapping[str, Any]) -> Accuracies:
    """The accuracies that `accuracies_to_json` wrote."""
    figures: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in result.items()}
    figures["answers"] = answers_of_stage(result)
    return Accuracies(**figures)
