"""What earlier runs saw of a machine, and what a run in a bad hour makes of it; on a clock that the test turns."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from runners.measuring import deviation as module
from runners.measuring.calls import Clock
from runners.measuring.deviation import BaselineMinimum, Deviation, by_machine, machine_id, merged_minima, minimum_here
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.regimes import shared_excess
from runners.measuring.stopwatch import TimingSettings, time_interleaved

REFERENCE_S, BASELINE_S, CANDIDATE_S = 0.00001, 0.008, 0.001
KNOWN = BaselineMinimum(BASELINE_S / REFERENCE_S, 1e3 * BASELINE_S, seconds=60.0)


class Machine:
    """Runs calls that live in memory, slower by ``disturbed``, and others, slower by ``hot``, which memory is less."""

    def __init__(self, disturbed: float = 1.0, hot: float = 1.0, hot_memory: float | None = None) -> None:
        self.now = 0.0
        self.disturbed, self.hot = disturbed, hot
        self.hot_memory = hot if hot_memory is None else hot_memory
        self.random = np.random.default_rng(0)

    def clock(self) -> float:
        return self.now

    def in_memory(self, seconds: float) -> Callable[[], None]:
        """A call whose every run is disturbed, by half of that at least."""
        factor = self.hot_memory * seconds
        return lambda: self._take(factor * (1 + (self.disturbed - 1) * self.random.uniform(0.5, 2.0)))

    def in_cache(self, seconds: float) -> Callable[[], None]:
        """A call that takes as long as ever."""
        return lambda: self._take(self.hot * seconds * (1 + 0.001 * self.random.uniform()))

    def _take(self, seconds: float) -> None:
        self.now += seconds


def timed(
    machine: Machine, candidate: Callable[[], None], known: BaselineMinimum | None = KNOWN, **how: Any
) -> PairedTiming:
    baseline, reference = machine.in_memory(BASELINE_S), machine.in_cache(REFERENCE_S)
    settings = TimingSettings(**{"budget_s": 1.2, "seed": 0, "precision": None, **how})
    return time_interleaved(baseline, [candidate], settings, known, Clock(machine.clock), reference)[0]


def minimum(timing: PairedTiming) -> BaselineMinimum:
    """What the run learnt of this machine."""
    found = minimum_here(timing.baseline_minima)
    assert found is not None
    return found


def test_a_candidate_that_is_not_disturbed_has_the_speedup_of_the_shortest_time_known() -> None:
    machine = Machine(disturbed=1.2)
    alone = timed(machine, machine.in_cache(CANDIDATE_S), known=None)
    informed = timed(machine, machine.in_cache(CANDIDATE_S))
    assert alone.speedup == pytest.approx(8.0 * 1.1, rel=0.02)
    assert informed.speedup == pytest.approx(8.0, rel=0.01)
    assert informed.speedup_ci95[0] < 8.0 < informed.speedup_ci95[1]
    assert informed.machine["baseline_excess"] == pytest.approx(0.12, abs=0.02)


def test_a_candidate_that_is_disturbed_as_much_keeps_nearly_the_ratio_of_the_pairs() -> None:
    machine = Machine(disturbed=1.2)
    half = timed(machine, machine.in_memory(2 * BASELINE_S), budget_s=20.0)
    assert half.speedup == pytest.approx(0.5, rel=0.04)
    low, high = half.speedup_ci95
    assert low < 0.5 / 1.08, "it may be that the candidate was not disturbed, which pairs cannot tell"
    assert 0.5 < high < 0.52


def test_a_processor_that_is_hot_slows_all_alike_and_changes_nothing() -> None:
    machine = Machine(hot=1.5)
    timing = timed(machine, machine.in_cache(CANDIDATE_S))
    assert timing.speedup == pytest.approx(8.0, rel=0.01)
    assert timing.machine.get("baseline_excess", 0.0) < 0.01


def test_the_more_is_known_of_a_machine_the_narrower_is_the_interval() -> None:
    widths = []
    for seconds in (0.0, 10.0, 60.0):
        machine = Machine(disturbed=1.02)
        low, high = timed(machine, machine.in_cache(CANDIDATE_S), replace(KNOWN, seconds=seconds)).speedup_ci95
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]
    assert widths[1] > 1.05 * widths[2]


def test_a_run_with_what_is_known_ends_early_where_one_without_spends_its_budget() -> None:
    def spent(known: BaselineMinimum | None) -> float:
        machine = Machine(disturbed=1.05)
        timed(machine, machine.in_cache(CANDIDATE_S), known, precision=0.02, budget_s=4.0)
        return machine.now

    assert spent(KNOWN) < 2.0
    assert spent(None) > 4.0


def test_a_run_tells_the_time_of_its_baseline() -> None:
    machine = Machine(disturbed=1.2)
    first = timed(machine, machine.in_cache(CANDIDATE_S), BaselineMinimum())
    assert minimum(first).relative == pytest.approx(880, rel=0.02)
    assert 1.2 <= minimum(first).seconds < 1.4
    assert "baseline_excess" not in first.machine, "nothing was known before it"
    assert timed(machine, machine.in_cache(CANDIDATE_S), known=None).baseline_minima == {}


def test_a_reference_computation_that_was_slow_once_does_not_spoil_what_is_known() -> None:
    """At a lower clock a call that waits for memory takes more seconds and a smaller multiple of the reference."""
    slow = Machine(hot=1.4, hot_memory=1.15)
    seen = minimum(timed(slow, slow.in_cache(CANDIDATE_S), KNOWN))
    assert seen.relative < 0.85 * KNOWN.relative
    later = Machine()
    timing = timed(later, later.in_cache(CANDIDATE_S), minimum_here(merged_minima(by_machine(KNOWN), by_machine(seen))))
    assert timing.speedup == pytest.approx(8.0, rel=0.01)
    assert timing.speedup_ci95[0] < 8.0 < timing.speedup_ci95[1]


def test_a_run_whose_clock_stepped_back_teaches_nothing() -> None:
    machine = Machine()
    calls = iter(range(10**6))

    def stepping() -> None:
        machine.now += -0.5 if next(calls) == 300 else CANDIDATE_S

    timing = timed(machine, stepping)
    assert "stepped back" in timing.unstable
    assert timing.baseline_minima == {}


def test_how_much_excess_is_told_and_what_is_known_then_counts() -> None:
    assert KNOWN.deviation_of(replace(KNOWN, relative=880.0, milliseconds=8.8)) == Deviation(
        pytest.approx(np.log(1.1)), 60.0
    )
    assert KNOWN.deviation_of(replace(KNOWN, relative=880.0, milliseconds=8.0)).log_excess == 0.0, "only as a multiple"
    assert KNOWN.deviation_of(replace(KNOWN, relative=800.0, milliseconds=8.8)).log_excess == 0.0, "only in seconds"
    assert KNOWN.deviation_of(replace(KNOWN, relative=700.0, milliseconds=7.0)) == Deviation(0.0, 0.0), (
        "little was known"
    )
    assert KNOWN.deviation_of(replace(KNOWN, relative=8e9, milliseconds=8e7)).log_excess == pytest.approx(np.log(1.5))
    assert replace(KNOWN, seconds=1e6).deviation_of(KNOWN).known_s == 60.0
    assert BaselineMinimum().deviation_of(KNOWN) == Deviation()


def test_runs_together_know_the_shortest_time_on_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (
        by_machine(BaselineMinimum(880.0, 8.9, 2.0)),
        {"another": {"relative": 100.0, "milliseconds": 1.0, "seconds": 5.0}},
    )
    assert here == {machine_id(): {"relative": 880.0, "milliseconds": 8.9, "seconds": 2.0}}
    assert merged_minima(here, there, by_machine(BaselineMinimum(890.0, 8.8, 4.0))) == {
        machine_id(): {"relative": 880.0, "milliseconds": 8.8, "seconds": 6.0},
        **there,
    }
    assert minimum_here(here) == BaselineMinimum(880.0, 8.9, 2.0)
    assert minimum_here(there) == BaselineMinimum()
    assert by_machine(BaselineMinimum()) == {}
    monkeypatch.setattr(module, "accelerated", lambda: True)
    assert minimum_here(here) is None


def test_other_versions_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    known = by_machine(KNOWN)
    module.machine_id.cache_clear()
    monkeypatch.setattr(module, "library_versions", lambda: {"torch": "0"})
    assert minimum_here(known) == BaselineMinimum()
    module.machine_id.cache_clear()


def disturbed(mean: float, seconds: float = 1.0, calls: int = 576) -> list[Any]:
    """Call times, the fastest about ``seconds`` and longer by a share of ``mean`` on average, in blocks of 12."""
    return list((seconds * (1 + np.random.default_rng(int(1e3 * seconds)).exponential(mean, calls))).reshape(-1, 12))


def test_what_slows_a_network_within_a_run_tells_what_it_shares_with_the_baseline() -> None:
    likely, most = shared_excess(disturbed(0.1, 3.0), disturbed(0.1), log_excess=0.1)
    assert likely > 0.9
    assert most == 1.0
    likely, most = shared_excess(disturbed(0.01, 3.0), disturbed(0.1), log_excess=0.03)
    assert likely < 0.1
    assert 0.2 < most < 0.8


@pytest.mark.parametrize(
    ("candidate", "baseline", "excess"),
    [
        (disturbed(0.01, 3.0, 24), disturbed(0.1, 1.0, 24), 0.01),
        (disturbed(0.0), disturbed(0.002), 0.001),
        (disturbed(0.005, 3.0), disturbed(0.05), 0.2),
    ],
    ids=["few calls", "steady calls", "disturbances below the excess by far"],
)
def test_a_run_that_says_little_leaves_room_for_all(candidate: list[Any], baseline: list[Any], excess: float) -> None:
    assert shared_excess(candidate, baseline, excess)[1] > 0.9
