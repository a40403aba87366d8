"""The interval of a quality: for any metric, also one that cannot be computed on every sample, or is perfect."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from runners.measuring import quality as quality_module
from runners.measuring.quality import quality, wilson
from runners.runner import StageFailed
from runners.workload import Workload

Metric = Callable[[Any, Any], float]


def judged(metric: Metric, outputs: Any, targets: Any) -> tuple[float, tuple[float, float]]:
    workload = Workload("own", lambda: None, lambda: {}, metric=metric)
    found = quality(workload, np.asarray(outputs, np.float32), np.asarray(targets))
    return found.value, found.ci95


def share(outputs: Any, targets: Any) -> float:
    """Like accuracy, and not known as such."""
    return float((outputs.argmax(axis=1) == targets).mean())


def auc(outputs: Any, targets: Any) -> float:
    return float(roc_auc_score(targets, outputs[:, 1]))


def raising_auc(outputs: Any, targets: Any) -> float:
    if len(np.unique(targets)) < 2:
        raise ValueError("only one class is present")
    return auc(outputs, targets)


def scores(targets: list[int], noise: float) -> Any:
    spread = np.random.default_rng(1).normal(0, noise, len(targets))
    return np.stack([np.zeros(len(targets)), np.array(targets) + spread], axis=1)


@pytest.mark.filterwarnings("ignore:Only one class")
@pytest.mark.parametrize("metric", [auc, raising_auc])
def test_samples_on_which_the_metric_cannot_be_computed_are_left_out(metric: Metric) -> None:
    targets = [1, 1] + [0] * 28  # one sample in eight has no 1
    value, (low, high) = judged(metric, scores(targets, 0.6), targets)
    assert 0 <= low <= value <= high <= 1
    assert low < high


def test_a_metric_that_few_samples_allow_is_refused_with_the_reason() -> None:
    def needs_all(outputs: Any, targets: Any) -> float:
        if len(np.unique(targets)) < 4:
            raise ValueError("a class is missing")
        return 0.5

    with pytest.raises(
        StageFailed, match=r"the metric needs_all gave a number in \d+ of 400 samples of the 4 examples"
    ):
        judged(needs_all, np.eye(4), [0, 1, 2, 3])


def test_a_metric_that_is_infinite_on_samples_leaves_finite_ends() -> None:
    def precision(outputs: Any, targets: Any) -> float:
        """Minus infinity where nothing is found."""
        return float(np.log(share(outputs, targets)))

    with np.errstate(divide="ignore"):
        _, interval = judged(precision, np.eye(4)[[0, 0, 0, 1, 1]], [0, 0, 1, 0, 0])
    assert all(map(math.isfinite, interval))


def test_a_perfect_score_is_no_more_certain_than_its_number_of_examples_allows() -> None:
    outputs = np.eye(3)[[0, 1, 2] * 10]
    assert judged(share, outputs, [0, 1, 2] * 10) == (1.0, wilson(1.0, 30))
    assert wilson(1.0, 30)[0] < 0.9


def test_a_metric_beyond_a_share_that_never_varies_keeps_its_value() -> None:
    assert judged(lambda outputs, targets: -3.0, np.eye(3), [0, 1, 2]) == (-3.0, (-3.0, -3.0))


def test_a_slow_metric_is_told_to_get_on(monkeypatch: pytest.MonkeyPatch) -> None:
    signs: list[None] = []
    monkeypatch.setattr(quality_module, "report_progress", lambda: signs.append(None))
    judged(share, np.eye(3), [0, 1, 1])
    assert len(signs) == 400
