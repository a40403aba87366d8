"""The number of threads of the baseline: the fastest, and of those that cannot be told apart the fewest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runners.measuring.opening import TimingRequest
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.tuning import keeps_accuracy
from runners.runner import StageTask
from runners.stages import calibrating
from runners.stages.calibrating import fastest_threads, threads_to_json
from runners.stages.job import StageJob
from runners.store.entry import StoredStage

Interval = tuple[float, float, float]


def timing(low: float, speedup: float, high: float, unstable: str = "") -> PairedTiming:
    return PairedTiming(
        speedup=speedup,
        speedup_ci95=(low, high),
        latency_p50_ms=2.0 / speedup,
        latency_p90_ms=3.0 / speedup,
        latency_p99_ms=None,
        baseline_p50_ms=2.0,
        blocks=12,
        outliers=0,
        baseline_outliers=0,
        warm_up_s=0.1,
        unstable=unstable,
        machine={},
    )


@pytest.mark.parametrize(
    ("timings", "threads"),
    [
        ({}, 1),
        ({2: timing(1.25, 1.3, 1.35)}, 2),
        ({2: timing(0.97, 1.3, 1.5)}, 1),
        ({2: timing(0.3, 0.4, 0.5)}, 1),
        ({2: timing(1.25, 1.3, 1.35, "the machine was busy")}, 1),
        ({2: timing(1.4, 1.5, 1.6), 4: timing(2.2, 2.3, 2.4), 8: timing(1.1, 1.2, 1.3)}, 4),
        ({2: timing(1.4, 1.5, 1.6), 4: timing(1.55, 1.7, 1.8)}, 2),
        ({2: timing(1.4, 1.5, 1.6), 4: timing(1.9, 2.0, 2.1), 8: timing(2.0, 2.2, 2.4)}, 4),
        ({2: timing(1.4, 1.5, 1.6), 4: timing(2.2, 2.3, 2.4, "paused")}, 2),
    ],
)
def test_the_fastest_is_chosen_and_of_those_that_cannot_be_told_apart_the_fewest_threads(
    timings: Mapping[int, PairedTiming], threads: int
) -> None:
    assert fastest_threads(1, timings) == threads


def test_every_number_that_was_timed_is_kept_with_its_figures() -> None:
    kept = json.loads(json.dumps(threads_to_json(1, {2: timing(1.25, 1.25, 1.5, "busy")}, 1)))
    assert kept == {
        "threads": 1,
        "by_threads": {
            "1": {"speedup": 1.0, "speedup_ci95": [1.0, 1.0], "latency_p50_ms": 2.0, "unstable": ""},
            "2": {"speedup": 1.25, "speedup_ci95": [1.25, 1.5], "latency_p50_ms": 1.6, "unstable": "busy"},
        },
    }
    assert threads_to_json(4, {}, 4) == {"threads": 4, "by_threads": {}}


class Timed:
    """Stands for the fresh processes: gives timings by the number of threads, and remembers what was asked for."""

    tuned: Interval = (1.0, 1.0, 1.0)
    accurate = True

    def __init__(self, by_threads: Mapping[int, Interval]) -> None:
        self._by_threads = by_threads
        self.asked: list[tuple[int, list[int], int]] = []
        self.against_itself: list[bool] = []

    def __call__(self, function: Any, *given: Any, **about: Any) -> Any:
        if function is keeps_accuracy:
            return self.accurate
        (request,) = given
        return self._time(request)

    def _time(self, request: TimingRequest) -> list[PairedTiming]:
        if not request.baseline.tuned and any(candidate.tuned for candidate in request.candidates):
            return [timing(*self.tuned)]
        if request.candidates == (request.baseline,):
            self.against_itself.append(request.baseline.tuned)
        others = [candidate.threads for candidate in request.candidates]
        self.asked.append((request.baseline.threads, others, request.cores))
        itself = (0.99, 1.0, 1.02)
        return [timing(*(itself if n == request.baseline.threads else self._by_threads[n])) for n in others]


def stage(
    offered: list[int], by_threads: Mapping[int, Interval], monkeypatch: Any, folder: Path, **settings: Any
) -> tuple[Any, Timed]:
    """The figures of a calibrating stage on a machine with such timings, and what it asked for."""
    timed = Timed(by_threads)
    timed.tuned, timed.accurate = settings.pop("speed", timed.tuned), settings.pop("accurate", True)
    monkeypatch.setattr(calibrating, "call_fresh", timed)
    settings = {"offered": offered, "processes": 3, "budget_s": 1.0, **settings}
    task = StageTask("calibrating", "k", settings, {"teacher": "t"}, "digits", 0)
    teacher = StoredStage("t", folder, {}, 0.0)
    return calibrating.run(StageJob(task, {"teacher": teacher}, folder, None)), timed  # type: ignore[arg-type]


def test_all_numbers_are_timed_in_the_same_processes_on_the_same_cores_and_the_chosen_one_against_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_threads = {2: (1.4, 1.5, 1.6), 4: (2.2, 2.3, 2.4)}
    result, timed = stage([4, 1, 2], by_threads, monkeypatch, tmp_path)
    assert timed.asked == [(1, [2, 4], 4)] * 3 + [(4, [4], 4)] * 3
    assert (result["threads"], sorted(result["by_threads"])) == (4, ["1", "2", "4"])
    assert result["resolution"] == pytest.approx(0.02)
    assert result["unstable"] == ""


def test_a_number_of_threads_that_is_not_faster_once_is_not_timed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result, timed = stage([1, 2, 4], {2: (1.4, 1.5, 1.6), 4: (0.9, 1.2, 1.4)}, monkeypatch, tmp_path)
    assert timed.asked == [(1, [2, 4], 4), (1, [2], 2), (1, [2], 2), *[(2, [2], 2)] * 3]
    assert result["threads"] == 2


def test_a_gain_within_what_the_baseline_differs_from_itself_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_threads = {2: (1.01, 1.05, 1.08), 4: (1.015, 1.2, 1.3)}
    result, timed = stage([1, 2, 4], by_threads, monkeypatch, tmp_path)
    itself = [asked for asked in timed.asked if asked[1] == [asked[0]]]
    assert [threads for threads, _, _ in itself] == [2, 2, 2, 4, 4, 4, 1, 1, 1]
    assert (result["threads"], sorted(result["by_threads"])) == (1, ["1", "2", "4"])


def test_where_one_number_is_offered_there_is_nothing_to_choose(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    result, timed = stage([2], {}, monkeypatch, tmp_path)
    assert timed.asked == [(2, [2], 2)] * 3
    assert (result["threads"], result["by_threads"]) == (2, {})


@pytest.mark.parametrize(
    ("settings", "tuned"),
    [
        ({}, False),
        ({"tuned": None, "speed": (1.4, 1.5, 1.6)}, True),
        ({"tuned": None, "speed": (0.9, 1.1, 1.3)}, False),
        ({"tuned": None, "speed": (1.4, 1.5, 1.6), "accurate": False}, False),
        ({"tuned": True}, True),
        ({"tuned": False, "speed": (1.4, 1.5, 1.6)}, False),
    ],
)
def test_on_an_accelerator_it_is_tuned_where_that_is_faster_and_as_accurate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: dict[str, Any], tuned: bool
) -> None:
    result, timed = stage([1], {}, monkeypatch, tmp_path, **settings)
    assert result["tuned"] is tuned
    assert timed.against_itself == [tuned] * 3
