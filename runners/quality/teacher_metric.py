"""The metric without labels: how far outputs agree with those of the workload's own network, the teacher."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.metric import FRACTION
from runners.workload import Workload, accuracy

Floats = NDArray[Any]


def agreement(outputs: Floats, teacher: Floats) -> float:
    """Share of examples whose largest output is where the teacher's is: both ``(n, classes)``."""
    return float((outputs.argmax(axis=1) == teacher.argmax(axis=1)).mean())


def closeness(outputs: Floats, teacher: Floats) -> float:
    """1 less the relative error: the norm of the difference over that of the teacher's outputs, both ``(n, ...)``.

    1 is the teacher itself. Outputs that are all 0 have 0, and those that are farther off are below.
    """
    return closeness_of_squares(squares(outputs, teacher), None)


def judged_by_teacher(workload: Workload, shape: Sequence[int]) -> Workload:
    """``workload`` with the metric that compares outputs of ``shape`` ``(n, ...)`` with the teacher's.

    A metric of the workload's own is taken as it is. Otherwise two outputs or more an example are taken for class
    scores, and compared by `agreement`; anything else by `closeness`.
    """
    if workload.metric is not accuracy:
        return workload
    metric = agreement if len(shape) == 2 and shape[1] > 1 else closeness
    return replace(workload, metric=metric, metric_label=metric.__name__, metric_unit=FRACTION, higher_is_better=True)


def squares(outputs: Floats, teacher: Floats) -> Floats:
    """For each example the sum of the squared differences and that of the teacher's squares, ``(n, 2)``."""
    ours, theirs = (array.reshape(len(array), -1).astype(np.float64) for array in (outputs, teacher))
    return np.stack([((ours - theirs) ** 2).sum(axis=1), (theirs**2).sum(axis=1)], axis=1)


def closeness_of_squares(sums: Floats, _: Any) -> float:
    """`closeness` from what `squares` gives of the examples."""
    difference, own = sums.sum(axis=0)
    return 1.0 - float(np.sqrt(difference / own)) if own > 0 else float(difference == 0)
