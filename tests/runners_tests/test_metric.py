"""A metric is read by its direction and its unit, which a workload says."""

import pytest

from runners.metric import ACCURACY, QualityMetric
from runners.workload import Workload

RMSE = QualityMetric("rmse", higher_is_better=False, unit="K")
ERROR_RATE = QualityMetric("error_rate", higher_is_better=False)
PSNR = QualityMetric("psnr", unit="dB")


def of_workload(**fields: object) -> QualityMetric:
    return Workload("own", lambda: None, lambda: {}, **fields).quality  # type: ignore[arg-type]


def test_a_workload_that_says_nothing_has_an_accuracy_of_which_more_is_better() -> None:
    assert of_workload() == ACCURACY == QualityMetric("accuracy", True, "fraction")


def test_a_workload_names_its_metric_by_the_function_or_a_label() -> None:
    def rmse(outputs: object, targets: object) -> float:
        return 0.0

    assert of_workload(metric=rmse, higher_is_better=False, metric_unit="K") == RMSE
    assert of_workload(metric=lambda outputs, targets: 0.0).name == "quality"
    assert of_workload(metric=lambda outputs, targets: 0.0, metric_label="F1").name == "F1"


def test_a_drop_is_how_much_worse_a_value_is_in_either_direction() -> None:
    assert ACCURACY.drop(0.90, 0.95) == pytest.approx(0.05)
    assert RMSE.drop(2.0, 1.9) == pytest.approx(0.1)
    assert RMSE.drops(1.8, 2.0) == {"accuracy_drop": pytest.approx(-0.2), "accuracy_drop_share": pytest.approx(-0.1)}


def test_what_may_be_lost_is_a_share_of_the_value_where_that_is_no_fraction() -> None:
    assert ACCURACY.allowance(0.01, 0.5) == ERROR_RATE.allowance(0.01, 0.5) == 0.01
    assert RMSE.allowance(0.01, 200.0) == PSNR.allowance(0.01, -200.0) == 2.0


def test_an_improvement_ends_at_the_best_value() -> None:
    assert (ACCURACY.improved(0.9, 0.2), ERROR_RATE.improved(0.1, 0.2)) == (1.0, 0.0)
    assert (RMSE.improved(2.0, 0.5), PSNR.improved(30.0, 2.0)) == (1.5, 32.0)


def test_only_a_fraction_has_impossible_values() -> None:
    assert "must be at most 1" in str(ACCURACY.impossible(1.2))
    assert "must be at least 0" in str(ERROR_RATE.impossible(-0.1))
    assert [ACCURACY.impossible(-3.0), RMSE.impossible(193.0), PSNR.impossible(34.0)] == [None] * 3


@pytest.mark.parametrize("metric", [ACCURACY, RMSE, ERROR_RATE, PSNR])
def test_the_document_of_a_front_names_it(metric: QualityMetric) -> None:
    assert QualityMetric.of_front(metric.to_json()) == metric
    assert QualityMetric.of_front({}) == ACCURACY


def test_it_is_told_in_words() -> None:
    assert (RMSE.in_words, ERROR_RATE.in_words) == ("rmse in K; less is better", "error_rate; less is better")
