"""Where the constraints of a study cut off a part of a figure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.figures.axes import Axis
from runners.metric import QualityMetric


@dataclass(frozen=True)
class Bound:
    """A constraint that is a line in the figure.

    Attributes:
        axis: ``x`` or ``y``: the axis that it cuts.
        at: Where.
        above: Whether what lies above it is not allowed, else what lies below.
        text: The constraint as it was written.
    """

    axis: str
    at: float
    above: bool
    text: str


def bounds_on(document: Mapping[str, Any], x: Axis, y: Axis) -> tuple[Bound, ...]:
    """The constraints of a front document on the quantities of two axes; those on other quantities are no lines.

    A bound on the drop in accuracy is drawn on an axis of the accuracy, below the baseline's.
    """
    found = (
        _bound(document, text, name, axis)
        for text in document.get("constraints", ())
        for name, axis in (("x", x), ("y", y))
    )
    return tuple(bound for bound in found if bound is not None)


def _bound(document: Mapping[str, Any], text: str, name: str, axis: Axis) -> Bound | None:
    quantity, operator, number = re.split("(<=|>=)", text)
    at = float(number)
    if quantity == axis.name:
        return Bound(name, at, operator == "<=", text)
    baseline, metric = document.get("baseline"), QualityMetric.of_front(document)
    if axis.name != "accuracy" or quantity not in ("accuracy_drop", "accuracy_drop_share") or not baseline:
        return None
    reference = baseline["measurement"]["accuracy"]
    drop = at if quantity == "accuracy_drop" else at * abs(reference)
    most_dropped = operator == "<="
    return Bound(name, reference - metric.sign * drop, most_dropped != metric.higher_is_better, text)
