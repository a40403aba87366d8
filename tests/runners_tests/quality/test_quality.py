"""The interval of a quality: for any metric, also one that cannot be computed on every sample, or is perfect."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from runners.quality import quality as quality_module
from runners.quality.answers import RESAMPLES, Answers
from runners.quality.paired_difference import difference_ci95
from runners.quality.quality import LEAST_RESAMPLES, Quality, evaluate, quality, wilson
from runners.runner import StageFailed
from runners.workload import Workload, accuracy

Metric = Callable[[Any, Any], float]


def of(metric: Metric, outputs: Any, targets: Any) -> Quality:
    workload = Workload("own", lambda: None, lambda: {}, metric=metric)
    return quality(workload, np.asarray(outputs, np.float32), np.asarray(targets))


def judged(metric: Metric, outputs: Any, targets: Any) -> tuple[float, tuple[float, float]]:
    found = of(metric, outputs, targets)
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


def random_outputs(seed: int, targets: Any, right: float = 0.9) -> Any:
    random = np.random.default_rng(seed)
    found = np.where(random.random(len(targets)) < right, targets, random.integers(0, 3, len(targets)))
    return np.eye(3)[found] + random.normal(0, 0.01, (len(targets), 3))


TARGETS = np.random.default_rng(9).integers(0, 3, 120)


def balanced(outputs: Any, targets: Any) -> float:
    return float(balanced_accuracy_score(targets, outputs.argmax(axis=1)))


def macro_f1(outputs: Any, targets: Any) -> float:
    return float(f1_score(targets, outputs.argmax(axis=1), average="macro"))


def one_against_rest(outputs: Any, targets: Any) -> float:
    return float(roc_auc_score(targets == 1, outputs[:, 1]))


def rank_correlation(outputs: Any, targets: Any) -> float:
    return float(spearmanr(outputs.argmax(axis=1), targets).statistic)


def test_accuracy_keeps_one_bit_an_example_and_resamples_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_module, "_resampled", None)
    outputs = random_outputs(0, TARGETS)
    found = of(accuracy, outputs, TARGETS)
    assert found.answers is not None
    bits = np.unpackbits(found.answers.array, count=found.answers.examples)
    assert bits.tolist() == (outputs.argmax(axis=1) == TARGETS).tolist()
    assert found.value == bits.mean()


@pytest.mark.parametrize("metric", [balanced, macro_f1, one_against_rest, rank_correlation])
def test_a_metric_that_is_no_mean_over_examples_is_compared_in_pairs(metric: Metric) -> None:
    ours, theirs = (of(metric, random_outputs(seed, TARGETS), TARGETS) for seed in (1, 2))
    assert ours.answers is not None
    assert theirs.answers is not None
    low, high = difference_ci95(ours.answers, theirs.answers) or (1, -1)
    assert low <= ours.value - theirs.value <= high
    same = difference_ci95(ours.answers, ours.answers) or (1, -1)
    assert same[0] == -same[1] < 0, "the same answers are equal as far as so many examples tell"


def test_every_artifact_is_judged_on_the_same_resamples() -> None:
    outputs = random_outputs(0, TARGETS)
    found = of(share, outputs, TARGETS)
    assert found.answers is not None
    first = np.random.RandomState(0).randint(0, 120, 120, dtype=np.int64)
    assert found.answers.array[0] == np.float32(share(outputs[first], TARGETS[first]))
    assert found.answers.array.tolist() == of(share, outputs, TARGETS).answers.array.tolist()  # type: ignore[union-attr]


def test_a_resample_without_a_number_is_kept_as_such() -> None:
    targets = [1, 1] + [0] * 28
    found = of(raising_auc, scores(targets, 0.6), targets)
    assert found.answers is not None
    assert 0 < np.isnan(found.answers.array).sum() < RESAMPLES / 2


def test_a_slow_metric_is_computed_on_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_module, "RESAMPLING_S", 0.0)
    found = of(share, random_outputs(0, TARGETS), TARGETS)
    assert found.answers is not None
    assert np.isfinite(found.answers.array).sum() == LEAST_RESAMPLES
    assert np.isfinite(found.answers.array[:LEAST_RESAMPLES]).all(), "the first ones, which all artifacts share"


def test_the_answers_to_more_examples_than_a_database_holds_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_module, "MOST_ANSWERS", 119)
    found = of(accuracy, random_outputs(0, TARGETS), TARGETS)
    assert found.answers is None
    assert found.ci95 == wilson(found.value, 120)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (math.nan, "it must be a finite number"),
        (1.93, "at most 1, which is perfect; of a metric that is no fraction"),
    ],
)
def test_a_metric_that_is_no_number_or_a_share_above_1_is_refused(value: float, sentence: str) -> None:
    with pytest.raises(StageFailed, match=f"the metric <lambda> is {value:g} on these outputs; .*{sentence}"):
        of(lambda outputs, targets: value, np.eye(3), [0, 1, 2])


def rmse(outputs: Any, targets: Any) -> float:
    return float(np.sqrt(np.square(outputs[:, 0] - targets).mean()))


def in_kelvin(scale: float, noise: float = 2.0) -> Quality:
    wanted = np.random.default_rng(0).normal(280, 9, 200)
    outputs = wanted + np.random.default_rng(1).normal(0, noise, 200)
    workload = Workload("own", lambda: None, lambda: {}, metric=rmse, higher_is_better=False, metric_unit="K")
    return quality(workload, (scale * outputs).astype(np.float32)[:, None], scale * wanted)


def test_a_metric_in_a_unit_of_its_own_may_be_above_1_and_its_intervals_scale_with_the_unit() -> None:
    kelvin, millikelvin = in_kelvin(1.0), in_kelvin(1000.0)
    assert 1.5 < kelvin.ci95[0] < kelvin.value < kelvin.ci95[1] < 2.4
    assert millikelvin.value == pytest.approx(1000 * kelvin.value, rel=1e-3)
    pairs = []
    for scale, one in ((1.0, kelvin), (1000.0, millikelvin)):
        other = in_kelvin(scale, 2.1)
        assert one.answers is not None
        assert other.answers is not None
        ends = difference_ci95(other.answers, one.answers)
        assert ends is not None
        pairs.append(np.array(ends) / scale)
    assert pairs[0] == pytest.approx(pairs[1], rel=2e-3)
    assert 0 < pairs[0][0] < pairs[0][1] < 0.2


def test_answers_are_kept_of_validation_and_test_and_training_examples_are_not_resampled() -> None:
    asked: list[int] = []

    def counted(outputs: Any, targets: Any) -> float:
        asked.append(len(targets))
        return share(outputs, targets)

    sizes = {"train": 50, "validation": 30, "test": 20}
    data = {name: (np.eye(3)[TARGETS[:n]].astype(np.float32), TARGETS[:n]) for name, n in sizes.items()}
    workload = Workload("own", lambda: None, lambda: data, metric=counted)
    found = evaluate(lambda inputs: inputs, workload, ("train", "validation", "test"))
    assert {split: answers.examples for split, answers in found.answers.items()} == {"validation": 30, "test": 20}
    assert (found.accuracy, found.accuracy_test, found.accuracy_train) == (1.0, 1.0, 1.0)
    assert asked.count(30) == RESAMPLES + 2, "on as many training examples once"
    assert evaluate(lambda inputs: inputs, workload, ("validation",)).accuracy_test is None


def test_accuracy_of_targets_for_every_pixel_has_its_interval_over_examples() -> None:
    targets = np.random.default_rng(0).integers(0, 3, (12, 4, 5))
    outputs = np.eye(3)[targets].transpose(0, 3, 1, 2)
    outputs[:6, :, 0, 0] = 0  # of half of the examples one pixel in 20 is answered with the class 0
    found = of(accuracy, outputs, targets)
    low, high = found.ci95
    assert low < found.value < high
    assert found.answers is not None
    assert Answers.from_json(found.answers.to_json()) == found.answers
    assert found.answers.examples == 12
