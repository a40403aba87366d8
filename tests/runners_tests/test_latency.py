"""The paired stopwatch, on a clock that the test turns."""

from typing import Any

import numpy as np
import pytest

from runners.measuring import latency
from runners.measuring.latency import time_interleaved, time_pair
from runners.measuring.statistics import Circumstances, count_outliers, regime_term, sampled_ratio, summarise
from runners.runner import StageFailed


class Machine:
    """A clock, and calls that take time on it, slowed by a drift that both sides share."""

    def __init__(self, drift: float = 0.0, noise: float = 0.0, seed: int = 0) -> None:
        self.now = 0.0
        self.drift = drift
        self.noise = noise
        self.random = np.random.default_rng(seed)

    def clock(self) -> float:
        return self.now

    def call(self, seconds: float) -> None:
        slowed = seconds * (1 + self.drift * self.now) * np.exp(self.noise * self.random.normal())
        self.now += float(slowed)


def _time(machine: Machine, candidate: float, baseline: float, budget_s: float = 2.0):  # type: ignore[no-untyped-def]
    return time_pair(
        lambda: machine.call(candidate), lambda: machine.call(baseline), budget_s=budget_s, seed=1, clock=machine.clock
    )


def test_the_ratio_of_two_steady_calls_is_exact() -> None:
    timing = _time(Machine(), 0.001, 0.008)
    assert timing.speedup == pytest.approx(8.0)
    assert timing.latency_p50_ms == pytest.approx(1.0)
    assert timing.baseline_p50_ms == pytest.approx(8.0)
    assert timing.unstable == ""


def test_a_machine_that_slows_down_does_not_move_the_ratio() -> None:
    timing = _time(Machine(drift=0.5), 0.001, 0.008)
    assert timing.speedup == pytest.approx(8.0, rel=0.02)
    assert timing.latency_p90_ms > 1.2


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    timings = [_time(Machine(noise=0.2, seed=seed), 0.002, 0.006, budget_s=0.5) for seed in range(120)]
    covered = [timing.speedup_ci95[0] <= 3.0 <= timing.speedup_ci95[1] for timing in timings]
    assert sum(covered) >= 110


def test_a_baseline_against_itself_is_called_different_in_at_most_one_of_twenty() -> None:
    false = 0
    for seed in range(200):
        machine = Machine(noise=0.1, seed=seed)
        timing = time_pair(
            lambda m=machine: m.call(0.002),  # type: ignore[misc]
            lambda m=machine: m.call(0.002),  # type: ignore[misc]
            budget_s=1.2,
            seed=seed,
            clock=machine.clock,
        )
        false += not timing.speedup_ci95[0] <= 1.0 <= timing.speedup_ci95[1]
    assert false <= 10


def test_looking_more_than_once_does_not_make_sampling_noise_look_smaller() -> None:
    missed = 0
    for seed in range(100):
        machine = Machine(noise=0.05, seed=seed)
        sides: list[list[np.ndarray]] = [[], []]  # type: ignore[type-arg]
        spent, look = 0.0, 0.3
        while spent < 1.2:
            for side in sides:
                side.append(0.002 * np.exp(machine.noise * machine.random.normal(size=4)))
            spent += 0.016
            if spent >= look:
                if sampled_ratio(sides[0], sides[1], seed).half_width <= 0.01:
                    break
                look = 1.5 * spent
        interval = sampled_ratio(sides[0], sides[1], seed)
        missed += not interval.low <= 1.0 <= interval.high
    assert missed <= 8


def test_a_wide_interval_is_called_unstable() -> None:
    random = np.random.default_rng(0)
    blocks = [random.lognormal(0, 0.4, 6) for _ in range(12)]
    assert "interval" in summarise(blocks, [np.ones(6)] * 12, seed=0).unstable
    assert summarise([np.ones(6)] * 12, [np.ones(6)] * 12, seed=0).unstable == ""
    unsettled = Circumstances(warm_up_s=0.5, settled=False)
    assert "did not settle in 0.5 s" in summarise([np.ones(6)] * 12, [np.ones(6)] * 12, 0, unsettled).unstable


def _accelerators(*reasons: str) -> dict[str, Any]:
    return {"accelerators": [{"sm_mhz": 900, "memory_mhz": 2619, "slowed_by": list(reasons)}]}


@pytest.mark.parametrize(
    ("state", "noise", "said"),
    [
        (_accelerators(), 0.0, ""),
        ({}, 0.0, ""),
        (_accelerators("heat, slowed by hardware"), 0.0, "an accelerator was slowed down: heat, slowed by hardware"),
        (_accelerators("heat, slowed by hardware"), 0.7, "the machine was busy"),
    ],
)
def test_an_accelerator_that_was_slowed_down_makes_a_timing_unstable_unless_it_has_a_reason_of_its_own(
    state: dict[str, Any], noise: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "device_state", lambda: state)
    timing = _time(Machine(noise=noise), 0.001, 0.008)
    assert timing.unstable.startswith(said)
    assert bool(timing.unstable) == bool(said)


def test_both_sides_run_in_either_order() -> None:
    order: list[str] = []
    machine = Machine()

    def side(name: str) -> None:
        order.append(name)
        machine.call(0.010)

    time_pair(lambda: side("a"), lambda: side("b"), budget_s=0.5, seed=3, clock=machine.clock)
    text = "".join(order)
    assert "aaaaa" + "bbbbb" * 2 + "aaaaa" in text
    assert "bbbbb" + "aaaaa" * 2 + "bbbbb" in text


def test_neighbours_that_take_the_cores_are_noticed_and_hardly_move_the_ratio() -> None:
    class Busy(Machine):
        def call(self, seconds: float) -> None:
            super().call(seconds + (0.01 if self.random.random() < 0.6 else 0.0))

    timing = _time(Busy(), 0.0005, 0.004)
    assert timing.speedup == pytest.approx(8.0, rel=0.05)
    assert "busy" in timing.unstable


def test_a_machine_that_crawls_is_given_up_in_time() -> None:
    machine = Machine()
    timing = _time(machine, 1.0, 1.0, budget_s=1.0)
    assert timing.blocks == 3
    assert machine.now < 120


def test_the_bootstrap_interval_is_that_of_the_ratio_of_fast_ends() -> None:
    random = np.random.default_rng(0)
    ratios = []
    for _ in range(100):
        sides = [list(np.exp(0.1 * random.normal(size=(48, 12)))) for _ in range(2)]
        ratios.append(sampled_ratio(sides[0], sides[1], seed=0))
    spread = np.std([np.log(ratio.value) for ratio in ratios])
    assert np.median([ratio.half_width for ratio in ratios]) == pytest.approx(1.96 * spread, rel=0.2)


def test_timing_ends_early_where_the_ratio_is_known_and_spends_the_budget_where_none_is_asked() -> None:
    def spent(precision: float | None, noise: float) -> float:
        machine = Machine(noise=noise)
        call = lambda: machine.call(0.002)  # noqa: E731
        time_pair(call, call, budget_s=4.0, seed=0, precision=precision, clock=machine.clock)
        return machine.now

    assert spent(0.01, 0.001) < 1.0
    assert spent(None, 0.001) > 4.0
    assert spent(0.01, 0.5) > 4.0


def test_every_candidate_has_its_own_ratio_and_all_run_within_one_block() -> None:
    order: list[str] = []
    machine = Machine(drift=0.1)

    def side(name: str, seconds: float) -> None:
        order.append(name)
        machine.call(seconds)

    half, same = time_interleaved(
        lambda: side("a", 0.004),
        [lambda: side("b", 0.008), lambda: side("c", 0.004)],
        budget_s=0.5,
        seed=0,
        clock=machine.clock,
    )
    assert half.speedup == pytest.approx(0.5, rel=0.02)
    assert same.speedup == pytest.approx(1.0, rel=0.02)
    text = "".join(order)[-30 * half.blocks :]
    blocks = [text[i : i + 30 : 5] for i in range(0, len(text), 30)]
    assert all(sorted(block[:3]) == ["a", "b", "c"] and block[3:] == block[2::-1] for block in blocks)
    assert len(set(blocks)) > 3


class FaultyClock(Machine):
    """Jumps by ``jump`` seconds during the calls whose numbers are in ``at``."""

    def __init__(self, jump: float, at: set[int]) -> None:
        super().__init__()
        self.jump, self.at, self.calls = jump, at, 0

    def call(self, seconds: float) -> None:
        super().call(seconds)
        self.calls += 1
        self.now += self.jump if self.calls in self.at else 0.0


def test_a_clock_that_steps_back_is_told_and_its_blocks_are_left_out() -> None:
    timing = _time(FaultyClock(-5.0, set(range(105, 600, 25))), 0.001, 0.008, budget_s=2.0)
    assert timing.speedup == pytest.approx(8.0)
    assert timing.speedup_ci95[0] > 7.8
    assert timing.latency_p50_ms == pytest.approx(1.0)
    assert "the clock stepped back" in timing.unstable


def test_a_clock_that_never_moves_gives_no_number() -> None:
    machine = Machine()
    with pytest.raises(StageFailed, match="the clock stepped back"):
        time_pair(lambda: None, lambda: None, budget_s=1.0, seed=0, clock=machine.clock)


def test_a_pause_in_the_middle_of_a_block_is_told_and_moves_nothing() -> None:
    timing = _time(FaultyClock(30.0, {205}), 0.001, 0.008, budget_s=2.0)
    assert timing.speedup == pytest.approx(8.0)
    assert timing.blocks >= 12
    assert "paused for 30 s" in timing.unstable
    assert "stepped forward" in timing.unstable


def test_outliers_are_counted_and_not_dropped() -> None:
    calls = np.random.default_rng(0).normal(1.0, 0.01, 1000)
    calls[:7] = 2.0
    assert count_outliers(calls) == 7
    assert count_outliers(np.ones(10)) == 0
    blocks = list(calls.reshape(100, 10))
    timing = summarise(blocks, blocks, 0)
    assert timing.outliers == 7
    assert timing.latency_p99_ms is not None
    assert timing.latency_p99_ms > 1000


def test_the_99th_percentile_needs_a_thousand_calls() -> None:
    few, many = [np.ones(10)] * 99, [np.ones(10)] * 100
    assert summarise(few, few, 0).latency_p99_ms is None
    assert summarise(many, many, 0).latency_p99_ms == 1000.0


def test_the_warm_up_is_told_in_seconds() -> None:
    assert _time(Machine(), 0.001, 0.008).warm_up_s == pytest.approx(0.010)


def test_sides_that_are_disturbed_alike_stay_narrow_and_others_do_not() -> None:
    random = np.random.default_rng(0)
    disturbed = list(0.001 + random.exponential(0.0001, (48, 12)))
    other = list(0.001 + random.exponential(0.0001, (48, 12)))
    steady = [np.full(12, 0.001)] * 48
    assert regime_term(disturbed, other) < 0.02
    assert regime_term(steady, disturbed) > 0.03
    assert regime_term(steady * 50, disturbed * 50) < regime_term(steady, disturbed)
