"""Calibration data that are all alike, constant or of one class are told; empty and broken ones are refused."""

import re
from typing import Any

import numpy as np
import pytest
from runners_tests.workloads.sound_workload import inputs, targets, with_data

from runners.lowering.calibration import calibration_rows
from runners.runner import StageFailed
from runners.workload_loading.check import check_contract
from runners.workload_loading.check_calibration import calibration_note
from spaces.errors import RequestError

ALIKE = np.repeat(inputs(1, 7), 20, axis=0)
ONE_CLASS = np.ones(20, np.int64)


def broken(number: float, place: int) -> Any:
    images = inputs(20, 7)
    images[place, 0, 1, 1] = number
    return images


class Own:
    """A split that reads its images only when they are asked for."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Any) -> Any:
        return self.images[indices], targets(20)[indices]

    def fingerprint(self) -> str:
        return "own"


@pytest.mark.parametrize(
    ("splits", "note"),
    [
        ({"calibration": (np.zeros_like(ALIKE), targets(20))}, "of the calibration split .* are the same number throu"),
        ({"calibration": (ALIKE, targets(20))}, "all 20 examples of the calibration split .* are alike, and int8 fin"),
        ({"calibration": ALIKE}, "all 20 examples of the calibration split .* are alike"),
        ({"calibration": (inputs(20, 7), ONE_CLASS)}, "have the class 1, .*; give examples of every class"),
        ({"train": (inputs(99, 7), np.ones(99, np.int64))}, "all 64 examples of the train split .* have the class 1"),
    ],
)
def test_what_differs_too_little_to_find_ranges_on_is_told(splits: dict[str, Any], note: str) -> None:
    (told,) = check_contract(with_data(**splits))
    assert re.search(note, told)


@pytest.mark.parametrize(
    "calibration",
    [(inputs(20, 7), targets(20)), inputs(20, 7), (inputs(9, 7), np.ones(9, np.int64)), (inputs(1, 7), targets(1))],
)
def test_usual_data_and_few_examples_are_not_told(calibration: Any) -> None:
    assert check_contract(with_data(calibration=calibration)) == ()


@pytest.mark.parametrize(
    ("calibration", "message"),
    [
        ((inputs(0), targets(0)), "the calibration split is empty; give at least one example"),
        ((broken(np.nan, 0), targets(20)), "the inputs hold NaN or infinity; clean the data"),
        (Own(broken(np.inf, 1)), "inputs of the calibration split hold NaN or infinity; clean the data"),
    ],
)
def test_no_examples_and_broken_first_ones_are_refused_before_a_search(calibration: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        check_contract(with_data(calibration=calibration))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_broken_ones_further_on_are_refused_when_they_are_read(number: float) -> None:
    workload = with_data(calibration=Own(broken(number, 15)))
    assert check_contract(workload) == ()
    with pytest.raises(StageFailed, match="1 of the 20 calibration examples have NaN or infinite numbers"):
        calibration_rows(workload, 0, 128)


def test_an_input_of_truth_values_is_compared_as_any_other() -> None:
    whole = {"inputs": np.zeros((20, 4)), "mask": np.zeros((20, 4), bool)}
    assert "same number throughout" in calibration_note(with_data(calibration=whole))
    whole["mask"] = np.eye(20, 4) > 0
    assert not calibration_note(with_data(calibration=whole))
