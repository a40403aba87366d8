"""The paired stopwatch, on a clock that the test turns."""

from typing import Any

import numpy as np
import pytest

from runners.measuring import stopwatch as latency
from runners.measuring.interval import sampled_ratio
from runners.measuring.paired_timing import Circumstances, count_outliers, summarise
from runners.measuring.regimes import regime_term
from runners.measuring.stopwatch import time_interleaved, time_pair
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


def test_looking_more_than_once_does_not_make_sampling_noise_look_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "summarise", lambda side, baseline, seed, met: sampled_ratio(side, baseline, seed))
    missed, early = 0, 0
    for seed in range(60):
        machine = Machine(noise=0.01, seed=seed)
        call = lambda m=machine: m.call(0.002)  # type: ignore[misc]  # noqa: E731
        interval: Any = time_pair(call, call, budget_s=1.2, seed=seed, clock=machine.clock)
        missed += not interval.low <= 1.0 <= interval.high
        early += machine.now < 1.1
    assert missed <= 5
    assert early >= 6, "otherwise looking often decides nothing here"


def test_a_wide_interval_is_called_unstable() -> None:
    random = np.random.default_rng(0)
    blocks = [random.lognormal(0, 0.4, 6) for _ in range(12)]
    assert "interval" in summarise(blocks, [np.ones(6)] * 12, seed=0).unstable
    assert summarise([np.ones(6)] * 12, [np.ones(6)] * 12, seed=0).unstable == ""
    unsettled = Circumstances(warm_up_s=0.1, unsettled={"baseline": 0.5})
    told = summarise([np.ones(6)] * 12, [np.ones(6)] * 12, 0, unsettled).unstable
    assert told == "the warm-up of the baseline did not settle in 0.5 s"


def test_every_reason_to_doubt_is_told() -> None:
    random = np.random.default_rng(0)
    met = Circumstances(steps_back=2, unsettled={"candidate": 0.5}, slowed="an accelerator was slowed down: heat")
    told = summarise([random.lognormal(0, 0.4, 6) for _ in range(12)], [np.ones(6)] * 12, 0, met).unstable
    assert [word in told for word in ("stepped back 2 times", "interval", "did not settle", "heat")] == [True] * 4


@pytest.mark.parametrize("seconds", [0.0002, 0.031, 0.1, 0.3])
def test_steady_calls_are_trusted_however_long_they_take(seconds: float) -> None:
    timing = _time(Machine(noise=0.001), seconds / 4, seconds, budget_s=1.2)
    assert timing.unstable == ""
    assert timing.speedup == pytest.approx(4.0, rel=0.01)
    assert timing.blocks >= 8


def test_a_warm_up_that_does_not_settle_is_told_of_its_own_side() -> None:
    class Warming(Machine):
        def call(self, seconds: float) -> None:
            super().call(seconds * (1 + (30 * 0.7**self.now if seconds > 0.1 else 0)))

    assert "the warm-up of the baseline did not settle" in _time(Warming(), 0.05, 0.2, budget_s=1.0).unstable
    assert "the warm-up of the candidate did not settle" in _time(Warming(), 0.2, 0.05, budget_s=1.0).unstable


@pytest.mark.parametrize("count", [3, 4, 6])
def test_intervals_of_few_blocks_are_as_wide_as_they_need_to_be(count: int) -> None:
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        slowed = 1 + random.exponential(0.1, (2, count, 1))
        sides = slowed * (1 + random.exponential(0.01, (2, count, 6))) * [[[1.0]], [[2.0]]]
        interval = sampled_ratio(list(sides[0]), list(sides[1]), seed)
        covered += interval.low <= 2.0 <= interval.high
    assert covered >= 80


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
    monkeypatch.setattr(latency, "accelerated", lambda: True)
    timing = _time(Machine(noise=noise), 0.001, 0.008)
    assert timing.unstable.startswith(said)
    assert bool(timing.unstable) == bool(said)


def test_the_state_of_the_machine_is_kept_and_accelerators_that_nobody_uses_throw_no_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latency, "device_state", lambda: _accelerators("heat, slowed by hardware"))
    monkeypatch.setattr(latency, "accelerated", lambda: False)
    timing = _time(Machine(), 0.001, 0.008)
    assert timing.machine == _accelerators("heat, slowed by hardware")
    assert timing.unstable == ""


def test_both_sides_run_in_either_order() -> None:
    order: list[str] = []
    machine = Machine()

    def side(name: str) -> None:
        order.append(name)
        machine.call(0.010)

    time_pair(lambda: side("a"), lambda: side("b"), budget_s=0.5, seed=3, clock=machine.clock)
    text = "".join(order)
    assert "aa" + "bb" * 2 + "aa" in text
    assert "bb" + "aa" * 2 + "bb" in text


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


def test_timing_rests_after_every_second_and_no_rest_is_timed() -> None:
    machine, rests = Machine(), []

    def rest(seconds: float) -> None:
        rests.append(machine.now)
        machine.now += seconds

    timing = time_pair(
        lambda: machine.call(0.001),
        lambda: machine.call(0.008),
        budget_s=4.0,
        seed=0,
        precision=None,
        rest_s=3.0,
        clock=machine.clock,
        sleep=rest,
    )
    assert timing.speedup == pytest.approx(8.0)
    assert timing.unstable == ""
    assert 3 <= len(rests) <= 4
    assert np.diff(rests) == pytest.approx(4.0, abs=0.2)


def test_as_many_calls_are_timed_as_a_high_percentile_needs() -> None:
    def timed(least_calls: int) -> Any:
        machine = Machine(noise=0.001)
        call = lambda: machine.call(0.02)  # noqa: E731
        return time_pair(call, call, budget_s=1.2, seed=0, least_calls=least_calls, clock=machine.clock)

    assert timed(0).latency_p99_ms is None
    assert timed(1000).latency_p99_ms == pytest.approx(20.0, rel=0.01)


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
    text, turn = "".join(order), {"a": 2 + 3, "b": 2 + 2, "c": 2 + 3}
    length = 2 * sum(turn.values())
    blocks = [_turns(text[-length * (i + 1) :], turn) for i in range(half.blocks)]
    assert all(sorted(block[:3]) == ["a", "b", "c"] and block[3:] == block[2::-1] for block in blocks)
    assert len(set(blocks)) > 3


def _turns(text: str, length: dict[str, int]) -> str:
    """The order of the first six turns in ``text``, which has a letter for each call."""
    order = ""
    while len(order) < 6:
        order += text[0]
        text = text[length[text[0]] :]
    return order


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
    assert timing.blocks >= 8
    assert "paused for 30 s" in timing.unstable
    assert "stepped forward" in timing.unstable


def test_a_pause_is_told_wherever_in_a_block_it_falls() -> None:
    block = 2 * ((2 + 10) + (2 + 2))
    told = [_time(FaultyClock(1.0, {at}), 0.001, 0.008).unstable for at in range(200, 200 + block)]
    assert ["paused for 1 s" in text for text in told] == [True] * block


def test_a_pause_beside_slow_calls_is_told() -> None:
    assert "paused for 2.1 s" in _time(FaultyClock(2.0, {45}), 0.1, 0.1).unstable


def test_a_clock_that_steps_back_to_the_begin_of_a_block_does_not_keep_the_timing_from_ending() -> None:
    machine = FaultyClock(-0.0755, {120})
    assert "stepped back" in _time(machine, 0.001, 0.008, budget_s=1.0).unstable
    assert machine.calls < 1200


def test_outliers_are_counted_and_not_dropped() -> None:
    calls = np.random.default_rng(0).normal(1.0, 0.01, 1000)
    calls[:7] = 2.0
    assert count_outliers(calls) == 7
    assert count_outliers(np.ones(10)) == 0
    blocks = list(calls.reshape(100, 10))
    timing = summarise(blocks, list(np.ones((100, 10))), 0)
    assert (timing.outliers, timing.baseline_outliers) == (7, 0)
    assert timing.latency_p99_ms is not None
    assert timing.latency_p99_ms > 1000


def test_the_99th_percentile_needs_a_thousand_calls() -> None:
    few, many = [np.ones(10)] * 99, [np.ones(10)] * 100
    assert summarise(few, few, 0).latency_p99_ms is None
    assert summarise(many, many, 0).latency_p99_ms == 1000.0


def test_the_warm_up_is_told_in_seconds() -> None:
    assert _time(Machine(), 0.001, 0.008).warm_up_s == pytest.approx(0.011)


def test_sides_that_are_disturbed_alike_stay_narrow_and_others_do_not() -> None:
    random = np.random.default_rng(0)
    disturbed = list(0.001 + random.exponential(0.0001, (48, 12)))
    other = list(0.001 + random.exponential(0.0001, (48, 12)))
    steady = [np.full(12, 0.001)] * 48
    assert regime_term(disturbed, other) < 0.02
    assert regime_term(steady, disturbed) > 0.03
    assert regime_term(steady * 50, disturbed * 50) < regime_term(steady, disturbed)
    assert regime_term(steady, disturbed, known_s=60.0) < regime_term(steady, disturbed) / 4
    assert regime_term(disturbed, steady, known_s=60.0) == regime_term(disturbed, steady), "that is of the baseline"
