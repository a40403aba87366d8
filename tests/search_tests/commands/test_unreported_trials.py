"""MLflow gets the trials of a search that died between telling Optuna and reporting them."""

import json
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import make_runner

from dashboards.tracking.tracker import Tracker, TrialResult
from search.commands import search as searching
from search.commands.search import resume_search, run_search
from search.request.locations import Locations
from search.request.read_request import merge

pytestmark = pytest.mark.faults("driver killed")

SETTINGS = {"study": "s", "workload": "digits", "space": {"student_width": [1.0, 0.5, 0.25], "runtime": "all"}}
TRIALS = 4


def trials_of(home: Path) -> list[dict[str, Any]]:
    """The records of trials in the spool, without when they were written and how long the trials took."""
    lines = (home / "spool" / "s" / "records.jsonl").read_text().splitlines()
    found = [record for record in map(json.loads, lines) if record["kind"] == "trial"]
    assert all(record["seconds"] >= 0 for record in found)
    return [{n: v for n, v in record.items() if n not in ("at_ms", "seconds")} for record in found]


def test_a_trial_that_was_told_and_not_reported_is_reported_when_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {1, 3}
    monkeypatch.setattr(searching, "_runner_starter", lambda given, locations: make_runner)
    run_search(merge({}, {**SETTINGS, "trials": TRIALS, "home": str(tmp_path / "whole")}))
    with monkeypatch.context() as dying:
        report = Tracker.trial_finished

        def report_some(tracker: Tracker, result: TrialResult) -> None:
            if result.trial not in lost:
                report(tracker, result)

        dying.setattr(Tracker, "trial_finished", report_some)
        run_search(merge({}, {**SETTINGS, "trials": TRIALS, "home": str(tmp_path / "died")}))
    assert {record["trial"] for record in trials_of(tmp_path / "died")} == {*range(TRIALS)} - lost
    for _ in range(2):
        resume_search("s", Locations(tmp_path / "died"), trials=TRIALS, timeout=None)
    found, whole = trials_of(tmp_path / "died"), trials_of(tmp_path / "whole")
    assert [record["trial"] for record in found] == sorted({*range(TRIALS)} - lost) + sorted(lost)
    assert sorted(found, key=lambda record: int(record["trial"])) == whole
