"""The examples on which ranges are found before a network is quantised, and statistics before it is timed untrained."""

import numpy as np
from numpy.typing import NDArray

from runners.inputs import Arrays, one_by_one, read
from runners.workload import CALIBRATION, Split, Workload

CALIBRATION_IMAGES = 128
"""Examples on which a network is quantised unless another number is chosen."""


def calibration_rows(workload: Workload, seed: int, count: int) -> list[Arrays]:
    """As many examples of the calibration split, drawn with ``seed``, each as a batch of one; fewer where it has fewer.

    Without a calibration split they are of the training split. Where the inputs have a dynamic dimension each is read
    by itself, so that it is not padded to the size of others.
    """
    split, chosen = _calibration_split(workload), _drawn(workload, seed, count)
    if workload.dynamic:
        return [read(split, chosen[number : number + 1])[0] for number in range(len(chosen))]
    return one_by_one(*read(split, chosen)[0])


def calibration_batch(workload: Workload, seed: int, count: int) -> Arrays:
    """The same examples in one batch."""
    return read(_calibration_split(workload), _drawn(workload, seed, count))[0]


def _drawn(workload: Workload, seed: int, count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(len(_calibration_split(workload)))[:count])


def _calibration_split(workload: Workload) -> Split:
    splits = workload.splits
    return splits[CALIBRATION] if CALIBRATION in splits else splits["train"]
