"""The examples on which ranges are found before a network is quantised, and statistics before it is timed untrained."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays, one_by_one, read
from runners.runner import StageFailed
from runners.workload import CALIBRATION, Split, Workload

CALIBRATION_IMAGES = 128
"""Examples on which a network is quantised unless another number is chosen."""


def calibration_rows(workload: Workload, seed: int, count: int) -> list[Arrays]:
    """As many examples of the calibration split, drawn with ``seed``, each as a batch of one; fewer where it has fewer.

    Without a calibration split they are of the training split. Where the inputs have a dynamic dimension each is read
    by itself, so that it is not padded to the size of others.

    Raises:
        StageFailed: They have NaN or infinite numbers.
    """
    split, chosen = _calibration_split(workload), _drawn(workload, seed, count)
    if workload.dynamic:
        rows = [read(split, chosen[number : number + 1])[0] for number in range(len(chosen))]
    else:
        rows = one_by_one(*read(split, chosen)[0])
    require_finite(rows)
    return rows


def calibration_batch(workload: Workload, seed: int, count: int) -> Arrays:
    """The same examples in one batch."""
    return read(_calibration_split(workload), _drawn(workload, seed, count))[0]


def require_finite(calibration: Sequence[Arrays]) -> None:
    """Refuse calibration examples with NaN or infinite numbers: nothing can be measured on them.

    Raises:
        StageFailed: It says how many examples have such numbers.
    """
    bad = sum(not all(np.isfinite(each).all() for each in example) for example in calibration)
    if bad:
        raise StageFailed(
            f"{bad} of the {len(calibration)} calibration examples have NaN or infinite numbers, on which neither "
            "ranges nor outputs can be measured: clean the calibration split, or the training split where there is none"
        )


def _drawn(workload: Workload, seed: int, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(len(_calibration_split(workload)))[:count])


def _calibration_split(workload: Workload) -> Split:
    splits = workload.splits
    return splits[CALIBRATION] if CALIBRATION in splits else splits["train"]
