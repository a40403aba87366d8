"""What the display and the tracking are told of a trial."""

from typing import Any
from unittest.mock import Mock

import pytest
from search_tests.simulation import make_chains, measurement

from search.driver.observer import Observers
from search.study.study import TrialRecord
from spaces.configuration import Configuration

BASELINE = make_chains().space.baseline()
NARROW = Configuration({**BASELINE, "student_width": 0.5})


def told(trial: TrialRecord, front: list[TrialRecord]) -> tuple[dict[str, Any], str, str]:
    """The reasons that the tracker is told, and the lines on the trial and on the best of the front."""
    progress, tracker = Mock(), Mock()
    Observers(progress, tracker, BASELINE).trial_ended(trial, front, 0.5, 12.0)
    (result,) = tracker.trial_finished.call_args.args
    return (
        {"failure": result.failure, "stopped": result.stopped},
        progress.trial_ended.call_args.args[1],
        progress.front_is.call_args.args[2],
    )


@pytest.mark.parametrize(
    ("state", "reasons"),
    [("failed", {"failure": "why", "stopped": None}), ("stopped", {"failure": None, "stopped": "why"})],
)
def test_a_trial_without_a_measurement_says_why(state: str, reasons: dict[str, Any]) -> None:
    trial = TrialRecord(3, state, NARROW, failure="why")
    assert told(trial, []) == (reasons, f"{state}: why (width=0.5)", "")


def test_a_complete_trial_shows_its_figures_and_whether_they_are_unstable() -> None:
    stable = TrialRecord(3, "complete", NARROW, measurement(0.97, 2.0))
    unstable = TrialRecord(4, "complete", NARROW, measurement(0.97, 3.0, unstable="the machine was busy"))
    assert told(unstable, [stable]) == (
        {"failure": None, "stopped": None},
        "3.00x, 97.0 % (unstable: the machine was busy): width=0.5",
        "2.00x, 97.0 %: width=0.5",
    )


def test_the_line_on_the_baseline_says_how_it_is_called() -> None:
    baseline = TrialRecord(0, "complete", Configuration({**BASELINE, "threads": 2}), measurement(0.97, 1.0))
    assert told(baseline, [])[1] == "1.00x, 97.0 %: baseline: PyTorch eager, fp32, 2 threads, 2 ms"
