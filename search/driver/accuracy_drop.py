"""How much accuracy a candidate loses against the baseline, on each split that both were evaluated on."""

from collections.abc import Mapping
from typing import Any

from runners.metric import ACCURACY, QualityMetric
from runners.quality.answers import Answers
from runners.quality.paired_difference import difference_ci95

_FIELDS = {"validation": ("accuracy", "accuracy_drop"), "test": ("accuracy_test", "accuracy_test_drop")}
"""For each split the field of `Measurement` with the accuracy, and the one with the drop."""

AnswersBySplit = Mapping[str, Answers]


def drop_figures(
    measurement: Mapping[str, Any],
    baseline: Mapping[str, Any],
    answers: AnswersBySplit,
    baseline_answers: AnswersBySplit,
    metric: QualityMetric = ACCURACY,
) -> dict[str, Any]:
    """The fields of a `Measurement` that hold the drops and their paired 95 % intervals.

    A split on which one of the two has no accuracy is left out. An interval is None where the answers are not known, as
    for the baseline itself: it loses nothing against itself, and nothing has to be estimated for that.

    Args:
        measurement: The accuracies of the candidate.
        baseline: Those of the baseline.
        answers: What the candidate answered on each split.
        baseline_answers: What the baseline answered; empty where the candidate is the baseline.
        metric: Says whether more or less of it is better.
    """
    found: dict[str, Any] = {}
    for split, (accuracy, drop) in _FIELDS.items():
        ours, reference = measurement.get(accuracy), baseline.get(accuracy)
        if ours is not None and reference is not None:
            found |= metric.drops(ours, reference) if split == "validation" else {drop: metric.drop(ours, reference)}
            found[f"{drop}_ci95"] = _interval(found[drop], metric, answers.get(split), baseline_answers.get(split))
    return found


def _interval(
    drop: float, metric: QualityMetric, answers: Answers | None, baseline: Answers | None
) -> tuple[float, float] | None:
    """The interval of how much worse the candidate is than the baseline, which holds the ``drop``; or None."""
    if not (answers and baseline):
        return None
    ends = difference_ci95(*((baseline, answers) if metric.higher_is_better else (answers, baseline)))
    return (min(ends[0], drop), max(ends[1], drop)) if ends else None
