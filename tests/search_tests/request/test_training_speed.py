"""Whether trainings are timed: where it is asked for and can be done."""

from typing import Any

import pytest

from search.request.study_request import StudyRequest
from search.request.training_speed import times_training
from spaces.environment import Environment
from spaces.errors import RequestError

SECONDS, RATE = "train_seconds", "train_throughput_per_s"


@pytest.mark.parametrize(
    ("settings", "timed"),
    [
        ({}, False),
        ({"objectives": ["accuracy", SECONDS]}, True),
        ({"objectives": ["accuracy", RATE]}, True),
        ({"constraints": [f"{RATE}>=100"]}, True),
    ],
)
def test_trainings_are_timed_where_one_of_the_two_quantities_is_asked_for(
    settings: dict[str, Any], timed: bool
) -> None:
    assert times_training(StudyRequest(**settings), Environment()) == timed


@pytest.mark.parametrize(
    ("machine", "space", "reason"),
    [
        (Environment(own_fit=True), "cpu", r"a training loop of its own \(fit\)"),
        (Environment(cannot_train="there is no training data"), "cpu", "there is no training data"),
        (Environment(), "post-training", "tried as a whole"),
    ],
)
def test_what_has_no_steps_keeps_the_seconds_that_were_spent_and_has_no_rate(
    machine: Environment, space: str, reason: str
) -> None:
    assert not times_training(StudyRequest(space=space, objectives=["accuracy", SECONDS]), machine)
    with pytest.raises(RequestError, match=f"^{RATE}: .*{reason}.*; leave it out"):
        times_training(StudyRequest(space=space, objectives=["accuracy", RATE]), machine)
