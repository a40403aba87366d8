"""The process that measures: what it says of candidates that crash, hang, or answer wrongly."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runners_tests.trapped import CRASH, HANG, NAN, OTHER_ANSWERS, OTHER_SHAPE, SLOW, lower, make_network

from runners.lowering.weights import save_network
from runners.measuring.group import combine, measure_together, timing_resolution
from runners.measuring.pair import measure_pair, require_same_answer
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed
from runners.workload_loading.reference import resolve

FAULTS = {
    "crash": (CRASH, r"was killed by signal 11"),
    "hang": (HANG, r"did nothing for 4 s and was ended"),
    "NaN": (NAN, r"NaN or infinite outputs"),
    "another shape": (OTHER_SHAPE, r"the artifact gives \(1, 8\), the baseline \(1, 4\)"),
    "another answer each time": (OTHER_ANSWERS, r"different answers to the same input"),
}


def request_for(reference: str, folder: Path, fault: int) -> dict[str, Any]:
    """A request to measure a candidate with that fault against a sound baseline."""
    workload = resolve(reference)
    for name in ("teacher", "artifact"):
        (folder / name).mkdir()
    save_network(make_network(workload, 0), folder / "teacher")
    lower(workload, fault, folder / "artifact")
    return {
        "workload": reference,
        "artifact": str(folder / "artifact"),
        "teacher": str(folder / "teacher"),
        "runtime": "eager",
        "threads": 1,
        "baseline_threads": 1,
        "splits": ["train", "validation", "test"],
        "budget_s": 0.2,
        "seed": 0,
    }


def measured(request: dict[str, Any], timeout_s: float = 60) -> dict[str, Any]:
    figures: dict[str, Any] = call_fresh(measure_pair, request, timeout_s=timeout_s, what="the measuring process")
    return figures


@pytest.mark.parametrize(("fault", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_bad_candidate_is_refused_with_its_reason(trapped: str, tmp_path: Path, fault: int, sentence: str) -> None:
    with pytest.raises(StageFailed, match=sentence):
        measured(request_for(trapped, tmp_path, fault), timeout_s=4 if fault == HANG else 60)


def test_a_slow_candidate_is_measured_however_long_it_takes_in_all(trapped: str, tmp_path: Path) -> None:
    begin = time.perf_counter()
    assert measured(request_for(trapped, tmp_path, SLOW), timeout_s=4)["latency_p50_ms"] > 300
    assert time.perf_counter() - begin > 6


def test_a_sound_candidate_is_judged_on_three_splits(trapped: str, tmp_path: Path) -> None:
    figures = measured(request_for(trapped, tmp_path, 0))
    assert {"accuracy", "accuracy_ci95", "accuracy_train", "accuracy_test", "accuracy_test_ci95"} <= set(figures)
    assert figures["speedup"] > 0
    assert figures["machine"]["load_1m"] >= 0
    assert "device_p50_ms" in figures


def test_a_99th_percentile_is_found_where_it_is_asked_for(trapped: str, tmp_path: Path) -> None:
    request = {**request_for(trapped, tmp_path, 0), "budget_s": 0.01}
    assert measured(request)["latency_p99_ms"] is None
    assert measured({**request, "least_calls": 1000})["latency_p99_ms"] > 0
    itself = {"artifact": None, "threads": 1}
    together = {**request, "members": [itself], "least_calls": 1000}
    assert call_fresh(measure_together, together, what="comparing")[0]["latency_p99_ms"] > 0


def test_members_are_timed_beside_each_other_and_the_baseline_against_itself(trapped: str, tmp_path: Path) -> None:
    request = request_for(trapped, tmp_path, 0)
    lower(resolve(trapped), SLOW, tmp_path / "artifact")
    lowered = {"artifact": request["artifact"], "runtime": "eager", "threads": 1}
    itself = {"artifact": None, "threads": 1}
    request["members"] = [lowered, itself]
    timings = call_fresh(measure_together, request, timeout_s=60, what="comparing")
    assert timings[0]["speedup"] < 0.1, "it sleeps at every call"
    assert timings[1]["speedup"] == pytest.approx(1.0, rel=0.5)
    assert min(timing["blocks"] for timing in timings) >= 3
    assert timing_resolution([timings[1]]) > 0


def timing(low: float, speedup: float, high: float, unstable: str = "") -> dict[str, Any]:
    return {
        "speedup": speedup,
        "speedup_ci95": (low, high),
        "latency_p50_ms": 2.0 / speedup,
        "latency_p90_ms": 3.0 / speedup,
        "latency_p99_ms": None if unstable else 4.0,
        "baseline_p50_ms": 2.0,
        "blocks": 10,
        "outliers": 1,
        "baseline_outliers": 2,
        "machine": {"load_1m": speedup, "baseline_excess": 1 / speedup},
        "baseline_minima": {"one": {"relative": 10 * speedup, "milliseconds": speedup, "seconds": 1.0}},
        "warm_up_s": speedup,
        "unstable": unstable,
    }


def test_several_processes_are_one_measurement_whose_interval_holds_all_of_theirs() -> None:
    both = combine([timing(1.9, 2.0, 2.1), timing(7.0, 8.0, 9.0, "the machine was busy")])
    assert both["speedup"] == pytest.approx(4.0)
    assert both["speedup_ci95"] == (1.9, 9.0)
    assert both["latency_p50_ms"] == pytest.approx((1.0 + 0.25) / 2)
    assert both["latency_p99_ms"] is None, "not known in one of them"
    assert (both["blocks"], both["outliers"], both["baseline_outliers"], both["warm_up_s"]) == (20, 2, 4, 8.0)
    assert both["machine"] == {"load_1m": 8.0, "baseline_excess": 0.5}, "that of the last, and the largest excess"
    assert both["baseline_minima"] == {"one": {"relative": 20.0, "milliseconds": 2.0, "seconds": 2.0}}
    assert both["unstable"] == "the machine was busy; the 95 % interval is +/-89% wide"


def test_processes_that_contradict_each_other_are_not_to_be_trusted() -> None:
    assert combine([timing(3.9, 4.0, 4.1), timing(3.9, 4.05, 4.15)])["unstable"] == ""
    assert combine([timing(3.9, 4.0, 4.1), timing(7.9, 8.0, 8.1)])["unstable"] == "the 95 % interval is +/-37% wide"


def test_a_doubt_of_several_processes_is_told_once() -> None:
    both = combine([timing(3.9, 4.0, 4.1, "busy; hot"), timing(3.9, 4.0, 4.1, "hot")])
    assert both["unstable"] == "busy; hot"


def test_the_smallest_believable_difference_is_the_farthest_end_on_either_side() -> None:
    assert timing_resolution([timing(0.99, 1.0, 1.02), timing(0.995, 1.0, 1.01)]) == pytest.approx(0.02)
    assert timing_resolution([timing(0.8, 1.0, 1.02)]) == pytest.approx(0.25)


def test_threads_may_change_the_last_digits_of_an_answer() -> None:
    answer = np.ones((1, 4), np.float32)
    require_same_answer(answer, answer * (1 + 1e-5))
    with pytest.raises(StageFailed, match="different answers"):
        require_same_answer(answer, answer * 1.01)
    with pytest.raises(StageFailed, match="NaN"):
        require_same_answer(answer, np.full_like(answer, np.nan))
    with pytest.raises(StageFailed, match="NaN"):
        require_same_answer(np.full_like(answer, np.nan), answer)
