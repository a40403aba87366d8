"""A search of the post-training space: every configuration once, and one table of all."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import FACTS, MACHINE, Recording, table

from runners.runner import StageTask
from search.commands.front import FrontOptions, show_front
from search.commands.search import resume_search, run_search
from search.driver.time_limits import TimeLimits
from search.request.locations import Locations
from search.request.read_request import merge
from spaces.configuration import Configuration
from spaces.errors import WorkFailed
from spaces.space_document import make_space, tries_everything

SPACE = {"numeric_precision": "all", "runtime": "all", "threads": "all"}
FAILING = {"precision": "fp32", "runtime": "openvino", "options": {}}
EVERYTHING = list(make_space(SPACE, MACHINE).configurations())


def figures(configuration: Configuration) -> Mapping[str, Any]:
    return table(Configuration({"student_width": 1.0, "channel_pruning": 0.0, **configuration}))


class OpenVinoFails(Recording):
    """OpenVINO cannot lower in fp32, whatever the number of threads."""

    def _figures(self, task: StageTask) -> Mapping[str, Any]:
        if task.stage == "lowering" and task.settings == FAILING:
            raise ValueError("no such operator")
        return super()._figures(task)


@pytest.fixture(autouse=True)
def nobody_waits_for_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.commands.tracking.recording.TRACKING_WAIT_S", 0.1)


def told(text: str) -> str:
    """``text`` on one line with single blanks."""
    return " ".join(text.split())


def search(home: Path, runner: Recording | None = None, **settings: Any) -> dict[str, Any]:
    wanted = {"study": "all", "workload": "digits", "space": "post-training", "home": str(home), **settings}
    return run_search(merge({}, wanted), runner=runner or Recording(MACHINE, FACTS, figures, workers=2))


def test_every_configuration_is_tried_once_and_nothing_is_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = OpenVinoFails(MACHINE, FACTS, figures, workers=2)
    found = search(tmp_path, runner)
    assert found["trials"] == len(EVERYTHING) == 14
    assert found["everything"]
    assert found["failed"] == 2
    stages = [task.stage for task in runner.submitted]
    assert stages.count("measuring") == 12
    assert max(i for i, stage in enumerate(stages) if stage == "evaluating") < stages.index("measuring")
    measured = [Configuration.from_json(task.configuration) for task in runner.submitted if task.stage == "measuring"]
    assert measured[0] == make_space(SPACE, MACHINE).baseline()
    assert sum(task.stage == "lowering" and task.settings == FAILING for task in runner.submitted) == 1
    printed = capsys.readouterr()
    assert "every configuration of the space has been tried, in 14 trials" in printed.err
    assert "openvino, fp32, 1 thread: lowering: no such operator" in told(printed.out)
    assert "eager does not support int8 here" in told(printed.out)
    show_front("all", Locations(tmp_path), FrontOptions(everything=True))
    assert "eager does not support int8 here" in told(capsys.readouterr().out)
    show_front("all", Locations(tmp_path), FrontOptions(everything=True, as_json=True))
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["all"]) == 14
    assert {entry["value"] for entry in shown["off"]} == {"eager", "onnxruntime"}
    show_front("all", Locations(tmp_path), FrontOptions())
    assert "measured during the search only" not in told(capsys.readouterr().out)


def test_where_the_baseline_fails_nothing_else_is_measured(tmp_path: Path) -> None:
    class BaselineFails(Recording):
        def _figures(self, task: StageTask) -> Mapping[str, Any]:
            if task.stage == "evaluating" and Configuration.from_json(task.configuration)["runtime"] == "eager":
                raise ValueError("no outputs")
            return super()._figures(task)

    runner = BaselineFails(MACHINE, FACTS, figures, workers=2)
    with pytest.raises(WorkFailed, match=r"the baseline failed \(evaluating: no outputs\), so there is nothing"):
        search(tmp_path, runner)
    assert "measuring" not in {task.stage for task in runner.submitted}


def test_an_unstable_timing_takes_no_place_on_the_front_from_one_that_can_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def busy(configuration: Configuration) -> Mapping[str, Any]:
        unstable = "the machine was busy" if configuration["numeric_precision"] == "int8" else ""
        return {**figures(configuration), "unstable": unstable}

    found = search(tmp_path, Recording(MACHINE, FACTS, busy, workers=2))
    assert {member["configuration"]["numeric_precision"] for member in found["front"]} == {"bf16"}
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    measured = [row[0] == "!" for row in rows if len(row) > 3 and any(cell.endswith("x") for cell in row[1:4])]
    assert measured == [False] * 10 + [True] * 4  # below all others, though they are the fastest


def test_where_the_time_is_up_the_rest_is_left_and_nobody_says_that_all_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.driver.driver.TimeLimits.is_over", lambda self, final_s: final_s == 0)
    found = search(tmp_path, time_budget="1h", trials=14, objectives=["speedup"])
    assert found["trials"] == 1
    said = capsys.readouterr().err
    assert "the time is up, with 13 trials under way" in said
    assert "has been tried" not in said


def test_after_the_timeout_no_row_is_measured_any_more_and_a_later_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def timed(runner: Recording) -> int:
        return sum(task.stage == "measuring" for task in runner.submitted)

    def takes(task: StageTask) -> float:
        return 10.0 if task.stage == "measuring" else 0.0

    runner = Recording(MACHINE, FACTS, figures, workers=2, seconds=takes)
    begun = runner.clock_s
    limits = partial(TimeLimits, clock=lambda: runner.clock_s)
    monkeypatch.setattr("search.driver.driver.TimeLimits", lambda timeout_s, budget_s: limits(35.0, budget_s))
    found = search(tmp_path, runner, timeout="35s")
    assert (found["trials"], timed(runner)) == (4, 4)
    assert runner.clock_s - begun < 35.0 + 10.0, "the one that is timed then ends"
    said = capsys.readouterr().err
    assert "the time is up, with 10 trials under way" in said
    assert "has been tried" not in said
    monkeypatch.setattr("search.driver.driver.TimeLimits", lambda timeout_s, budget_s: limits(None, budget_s))
    rest = Recording(MACHINE, FACTS, figures, workers=2)
    assert search(tmp_path, rest)["trials"] == 14
    assert timed(rest) == 10


def test_where_the_timeout_ends_before_anything_is_measured_the_baseline_still_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = Recording(MACHINE, FACTS, figures, workers=2)  # each stage takes a second
    limits = TimeLimits(3.0, None, clock=lambda: runner.clock_s)
    monkeypatch.setattr("search.driver.driver.TimeLimits", lambda timeout_s, budget_s: limits)
    assert search(tmp_path, runner, timeout="3s")["trials"] == 1
    assert sum(task.stage == "measuring" for task in runner.submitted) == 1
    assert "the time is up, with 13 trials under way" in capsys.readouterr().err


def test_fewer_trials_and_then_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(tmp_path, trials=5)["trials"] == 5
    runner = Recording(MACHINE, FACTS, figures)
    monkeypatch.setattr("runners.executors.ray.RayRunner", lambda *_: runner)
    found = resume_search("all", Locations(tmp_path), trials=100, timeout=None)
    assert (found["trials"], found["everything"]) == (14, True)


def test_only_the_choices_of_the_preset_are_tried_whole() -> None:
    assert tries_everything(SPACE)
    assert not tries_everything({**SPACE, "threads": [1]})
    assert merge({}, {"space": "post-training"}).trial_limit is None
    assert merge({}, {"space": "post-training", "trials": 7}).trial_limit == 7
    assert merge({}, {"space": "cpu"}).trial_limit == 18
