"""What costs nothing: the fastest trial that changes the runtime and the threads alone."""

from typing import Any

import pytest
from search_tests.simulation import make_chains, measurement

from search.front.runtime_alone import changes_runtime_alone, runtime_alone
from search.study.study import TrialRecord
from spaces.configuration import Configuration

BASELINE = make_chains().space.baseline()


def trial(number: int, speedup: float, unstable: str = "", **choices: Any) -> TrialRecord:
    configuration = Configuration({**BASELINE, **choices})
    return TrialRecord(number, "complete", configuration, measurement(0.98, speedup, unstable=unstable))


@pytest.mark.parametrize(
    ("choices", "free"),
    [
        ({"runtime": "openvino"}, True),
        ({"runtime": "openvino", "threads": 2, "replicas": 2}, True),
        ({"runtime": "onnxruntime", "numeric_precision": "int8"}, False),
        ({"numeric_precision": "bf16"}, False),
        ({"student_width": 0.5, "distillation_weight": 0.0}, False),
        ({"channel_pruning": 0.5, "runtime": "openvino"}, False),
        ({"distillation_weight": 0.7}, False),
    ],
)
def test_only_what_needs_no_training_and_keeps_the_weights_is_free(choices: dict[str, Any], free: bool) -> None:
    assert changes_runtime_alone(Configuration({**BASELINE, **choices}), BASELINE) is free


def test_it_is_the_fastest_that_is_free_and_not_the_baseline() -> None:
    trials = [
        trial(0, 1.0),
        trial(1, 9.0, runtime="onnxruntime", numeric_precision="int8"),
        trial(2, 2.0, runtime="onnxruntime"),
        trial(3, 3.0, runtime="openvino"),
        trial(4, 7.0, unstable="busy", runtime="openvino", threads=2),
    ]
    found = runtime_alone(trials, BASELINE)
    assert found is not None
    assert found.number == 3
    assert runtime_alone(trials[:2], BASELINE) is None
    doubtful = runtime_alone([trials[0], trials[4]], BASELINE)
    assert doubtful is not None
    assert doubtful.number == 4, "where there is no other"


def test_of_those_that_cannot_be_told_apart_it_has_the_fewest_threads() -> None:
    fast, alike = trial(2, 3.05, runtime="openvino", threads=2), trial(3, 3.0, runtime="openvino", threads=1)
    found = runtime_alone([trial(0, 1.0), fast, alike], BASELINE)
    assert found is not None
    assert found.number == 3
