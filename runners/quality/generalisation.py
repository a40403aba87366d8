"""The generalisation gap: how much worse a model is on examples that it was not trained on."""

from collections.abc import Mapping
from typing import Any

from runners.metric import QualityMetric

SPLITS = {"validation": "accuracy", "test": "accuracy_test"}
"""The splits that a model is not trained on, each with the field of `Measurement` that has its accuracy there."""


def generalisation_gaps(measurement: Mapping[str, Any], metric: QualityMetric) -> dict[str, float | None]:
    """How much worse the accuracy is on the validation and the test split than on training examples, by split.

    The gap is in the unit of the metric and positive where the model is better on what it was trained on. It is None
    where one of the two accuracies was not measured: that on training examples is known of members of the front alone.

    Args:
        measurement: The fields of a `runners.measuring.measurement.Measurement`.
        metric: Says whether more or less of it is better.
    """
    trained = measurement.get("accuracy_train")
    unseen = {split: measurement.get(field) for split, field in SPLITS.items()}
    if trained is None:
        return dict.fromkeys(unseen)
    return {split: None if value is None else metric.drop(value, trained) for split, value in unseen.items()}
