"""Whether the examples on which int8 is calibrated differ from each other, as those that it will serve do."""

from typing import Any

import numpy as np

from runners.inputs import read
from runners.workload import CALIBRATION, Workload
from runners.workload_loading.split_overlap import spread
from runners.workload_loading.user_code import user_code

LOOKED_AT = 64
"""Examples of a split, spread evenly."""
LEAST = 16
"""Of fewer examples all may have the same class by chance."""


def calibration_note(workload: Workload) -> str:
    """What to know of the split on which int8 is calibrated, in a sentence, or an empty string.

    Such data are no error: a network can be quantised on them, and its quality is measured like that of any other.
    """
    name = CALIBRATION if CALIBRATION in workload.splits else "train"
    split = workload.splits[name]
    chosen = spread(len(split), LOOKED_AT)
    with user_code(f"reading its {name} split"):
        inputs, targets = read(split, chosen)
    found = f"all {len(chosen)} examples of the {name} split that were looked at"
    if all((array == array.flat[0]).all() for array in inputs):
        return f"{found} are the same number throughout, and int8 finds its ranges on that; give data as it will serve"
    if len(chosen) > 1 and all((array == array[:1]).all() for array in inputs):
        return f"{found} are alike, and int8 finds its ranges on them; give examples that differ"
    if len(chosen) >= LEAST and _are_classes(targets) and (targets == targets[0]).all():
        return f"{found} have the class {targets[0]}, and int8 finds its ranges on them; give examples of every class"
    return ""


def _are_classes(targets: Any) -> bool:
    return targets is not None and np.ndim(targets) == 1 and np.issubdtype(np.asarray(targets).dtype, np.integer)
