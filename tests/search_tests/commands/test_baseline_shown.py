"""A whole simulated search beside a baseline on two threads, and one in which nothing beats the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import FACTS, MACHINE, measurement, table

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.commands.search import run_search
from search.request.read_request import merge
from search.study.attributes import BASELINE
from search.study.storage import open_storage
from search.study.study import find_study
from spaces.configuration import Configuration

CHOICES = {"student_width": [1.0, 0.5], "runtime": "all", "threads": [1, 2, 64]}
BY_THREADS = {
    "1": {"speedup": 1.0, "speedup_ci95": [1.0, 1.0], "latency_p50_ms": 2.0, "unstable": ""},
    "2": {"speedup": 1.3, "speedup_ci95": [1.25, 1.35], "latency_p50_ms": 1.5, "unstable": ""},
}


class FasterOnTwo(SimulatedRunner):
    """A machine on which the baseline is fastest on two threads."""

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        outcome, takes = super()._simulate(task)
        if task.stage == "calibrating":
            return StageOutcome({**outcome.result, "threads": 2, "by_threads": BY_THREADS}), takes
        return outcome, takes


def search(home: Path, of: Any = table, **settings: Any) -> dict[str, Any]:
    """The front document of a search, which is printed too."""
    wanted = {"study": "s", "workload": "digits", "trials": 6, "space": CHOICES, "home": str(home), **settings}
    return run_search(merge({}, wanted), runner=FasterOnTwo(MACHINE, FACTS, of))


def nothing_is_faster(configuration: Configuration) -> Mapping[str, Any]:
    """The baseline is the best there is."""
    changed = configuration["runtime"] != "eager" or configuration["threads"] != 2
    return measurement(0.97, 0.5) if changed else measurement(0.98, 1.0)


def test_the_fastest_baseline_is_trial_0_and_stands_in_the_head_of_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = search(tmp_path)
    printed = capsys.readouterr()
    assert document["baseline"]["configuration"]["threads"] == 2
    assert document["baseline_by_threads"] == BY_THREADS
    assert "baseline: PyTorch eager, fp32, 2 threads, 2 ms" in printed.out
    assert "; the baseline is PyTorch eager, fp32, 2 threads, 2 ms" in printed.out
    assert "runtime alone: " in printed.out
    assert "2 threads: 1.30x as fast as 1 (95 % 1.25-1.35)" in printed.err
    assert "threads 64 is not searched: needs 64 cores, and there are 2" in printed.err
    study = find_study(open_storage(f"sqlite:///{tmp_path}/studies.db"), "s")
    assert study.user_attrs[BASELINE]["threads"] == 2
    assert study.trials[0].params["threads of 1, 2"] == 2, "as Optuna has it"


def test_a_study_that_goes_on_keeps_its_baseline(tmp_path: Path) -> None:
    before = search(tmp_path)
    after = search(tmp_path, trials=9)
    assert after["baseline"]["configuration"] == before["baseline"]["configuration"]
    assert after["trials"] == 9


def test_where_nothing_beats_the_model_that_is_said_and_its_export_is_offered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = search(tmp_path, nothing_is_faster, space={"runtime": "all", "threads": [1, 2]})
    assert [member["trial"] for member in document["front"]] == [0]
    printed = capsys.readouterr().out
    assert "nothing beats your model as it is; the baseline is PyTorch eager, fp32, 2 threads, 2 ms" in printed
    assert f"frontrunner export s --to exported --pick 0 --home {tmp_path}" in printed
