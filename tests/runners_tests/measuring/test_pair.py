"""The process that measures: what it says of candidates that crash, hang, or answer wrongly."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runners_tests.trapped import CRASH, HANG, NAN, OTHER_ANSWERS, OTHER_SHAPE, SLOW, lower, make_network

from runners.lowering.weights import save_network
from runners.measuring.group import combine, measure_together, timing_resolution
from runners.measuring.opening import Artifact, Baseline, TimingRequest
from runners.measuring.pair import PairResult, measure_pair, require_same_answer
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings
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

SPLITS = ("train", "validation", "test")


def request_for(reference: str, folder: Path, fault: int) -> TimingRequest:
    """A request to measure a candidate with that fault against a sound baseline."""
    workload = resolve(reference)
    for name in ("teacher", "artifact"):
        (folder / name).mkdir()
    save_network(make_network(workload, 0), folder / "teacher")
    lower(workload, fault, folder / "artifact")
    return TimingRequest(
        workload=reference,
        candidates=(Artifact(folder / "artifact", "eager", threads=1),),
        baseline=Baseline(folder / "teacher", threads=1),
        settings=TimingSettings(budget_s=0.2, seed=0),
    )


def measured(request: TimingRequest, timeout_s: float = 60) -> PairResult:
    result: PairResult = call_fresh(measure_pair, request, SPLITS, timeout_s=timeout_s, what="the measuring process")
    return result


def timed_together(request: TimingRequest, *more: Baseline) -> list[PairedTiming]:
    request = replace(request, candidates=(*request.candidates, *more))
    timings: list[PairedTiming] = call_fresh(measure_together, request, timeout_s=60, what="comparing")
    return timings


@pytest.mark.parametrize(("fault", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_bad_candidate_is_refused_with_its_reason(trapped: str, tmp_path: Path, fault: int, sentence: str) -> None:
    with pytest.raises(StageFailed, match=sentence):
        measured(request_for(trapped, tmp_path, fault), timeout_s=4 if fault == HANG else 60)


def test_a_slow_candidate_is_measured_however_long_it_takes_in_all(trapped: str, tmp_path: Path) -> None:
    begin = time.perf_counter()
    assert measured(request_for(trapped, tmp_path, SLOW), timeout_s=4).timing.latency_p50_ms > 300
    assert time.perf_counter() - begin > 6


def test_a_sound_candidate_is_judged_on_three_splits(trapped: str, tmp_path: Path) -> None:
    result = measured(request_for(trapped, tmp_path, 0))
    assert result.accuracies is not None
    assert None not in vars(result.accuracies).values()
    assert result.timing.speedup > 0
    assert result.timing.machine["load_1m"] >= 0
    assert result.device_p50_ms is None, "it ran on the processor"


def test_a_99th_percentile_is_found_where_it_is_asked_for(trapped: str, tmp_path: Path) -> None:
    settings = TimingSettings(budget_s=0.01, seed=0, least_calls=1000)
    request = replace(request_for(trapped, tmp_path, 0), settings=settings)
    assert measured(request).timing.latency_p99_ms
    assert timed_together(request)[0].latency_p99_ms


def test_a_call_has_as_many_inputs_as_are_asked_for(trapped: str, tmp_path: Path) -> None:
    request = replace(request_for(trapped, tmp_path, 0), batch=5)
    assert measured(request).timing.batch == 5
    assert [one.batch for one in timed_together(request, request.baseline)] == [5, 5]


def test_members_are_timed_beside_each_other_and_the_baseline_against_itself(trapped: str, tmp_path: Path) -> None:
    request = request_for(trapped, tmp_path, 0)
    lower(resolve(trapped), SLOW, tmp_path / "artifact")
    timings = timed_together(request, request.baseline)
    assert timings[0].speedup < 0.1, "it sleeps at every call"
    assert 0.2 < timings[1].speedup < 5.0
    assert timing_resolution([timings[1]]) > 0


def timing(low: float, speedup: float, high: float, unstable: str = "") -> PairedTiming:
    return PairedTiming(
        speedup=speedup,
        speedup_ci95=(low, high),
        latency_p50_ms=2.0 / speedup,
        latency_p90_ms=3.0 / speedup,
        latency_p99_ms=None if unstable else 4.0,
        baseline_p50_ms=2.0,
        blocks=10,
        outliers=1,
        baseline_outliers=2,
        machine={"load_1m": speedup},
        warm_up_s=speedup,
        unstable=unstable,
    )


def test_several_processes_are_one_measurement_whose_interval_is_that_of_their_mean() -> None:
    both = combine([timing(1.98, 2.0, 2.02), timing(7.92, 8.0, 8.08, "the machine was busy")])
    assert both.speedup == pytest.approx(4.0)
    reach = np.hypot(12.706 * np.log(4) / 2, np.log(1.01))  # Student's t with one degree of freedom
    np.testing.assert_allclose(both.speedup_ci95, (4 / np.exp(reach), 4 * np.exp(reach)), rtol=1e-3)
    assert both.latency_p50_ms == pytest.approx((1.0 + 0.25) / 2)
    assert both.latency_p99_ms is None, "not known in one of them"
    assert (both.blocks, both.outliers, both.baseline_outliers, both.warm_up_s) == (20, 2, 4, 8.0)
    assert both.machine == {"load_1m": 8.0}, "that of the last"
    assert both.unstable == "the machine was busy"


def test_one_process_keeps_its_interval_and_alike_ones_are_no_narrower_than_one() -> None:
    np.testing.assert_allclose(combine([timing(1.9, 2.0, 2.2)]).speedup_ci95, (1.9, 2.2))
    np.testing.assert_allclose(combine([timing(1.9, 2.0, 2.2)] * 4).speedup_ci95, (1.9, 2.2))


def test_the_interval_of_four_processes_holds_the_mean_of_many_in_95_of_100_cases() -> None:
    random = np.random.default_rng(0)

    def holds() -> bool:
        runs = [timing(one * 0.9999, one, one * 1.0001) for one in np.exp(random.normal(0, 0.012, 4)).tolist()]
        low, high = combine(runs).speedup_ci95
        return bool(low <= 1 <= high)

    assert np.mean([holds() for _ in range(2000)]) == pytest.approx(0.95, abs=0.012)


def test_a_reason_that_several_processes_give_is_told_once() -> None:
    both = combine([timing(3.9, 4.0, 4.1, "busy; hot"), timing(3.9, 4.0, 4.1, "hot")])
    assert both.unstable == "busy; hot"


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
