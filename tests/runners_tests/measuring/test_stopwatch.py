"""The paired stopwatch, on a clock that the test turns."""

from typing import Any

import numpy as np
import pytest

from runners.measuring import stopwatch
from runners.measuring.calls import Clock
from runners.measuring.interval import bootstrap_ratio
from runners.measuring.stopwatch import TimingSettings, time_interleaved, time_pair
from runners.runner import StageFailed


class Machine:
    """A clock, and calls that take time on it, slowed by a drift that both arms share."""

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
    settings = TimingSettings(budget_s, seed=1)
    return time_pair(
        lambda: machine.call(candidate), lambda: machine.call(baseline), settings, clock=Clock(machine.clock)
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
            TimingSettings(budget_s=1.2, seed=seed),
            clock=Clock(machine.clock),
        )
        false += not timing.speedup_ci95[0] <= 1.0 <= timing.speedup_ci95[1]
    assert false <= 10


def test_looking_more_than_once_does_not_make_sampling_noise_look_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "summarise", lambda arm, baseline, seed, _: bootstrap_ratio(arm, baseline, seed))
    missed, early = 0, 0
    for seed in range(60):
        machine = Machine(noise=0.01, seed=seed)
        call = lambda m=machine: m.call(0.002)  # type: ignore[misc]  # noqa: E731
        interval: Any = time_pair(call, call, TimingSettings(1.2, seed), clock=Clock(machine.clock))
        missed += not interval.low <= 1.0 <= interval.high
        early += machine.now < 1.1
    assert missed <= 5
    assert early >= 6, "otherwise looking often decides nothing here"


@pytest.mark.parametrize("seconds", [0.0002, 0.031, 0.1, 0.3])
def test_steady_calls_are_trusted_however_long_they_take(seconds: float) -> None:
    timing = _time(Machine(noise=0.001), seconds / 4, seconds, budget_s=1.2)
    assert timing.unstable == ""
    assert timing.speedup == pytest.approx(4.0, rel=0.01)
    assert timing.blocks >= 8


def test_a_warm_up_that_does_not_settle_is_told_of_its_own_arm() -> None:
    class Warming(Machine):
        def call(self, seconds: float) -> None:
            super().call(seconds * (1 + (30 * 0.7**self.now if seconds > 0.1 else 0)))

    assert "the warm-up of the baseline did not settle" in _time(Warming(), 0.05, 0.2, budget_s=1.0).unstable
    assert "the warm-up of the candidate did not settle" in _time(Warming(), 0.2, 0.05, budget_s=1.0).unstable


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
    monkeypatch.setattr(stopwatch, "device_state", lambda: state)
    monkeypatch.setattr(stopwatch, "accelerated", lambda: True)
    timing = _time(Machine(noise=noise), 0.001, 0.008)
    assert timing.unstable.startswith(said)
    assert bool(timing.unstable) == bool(said)


def test_the_state_of_the_machine_is_kept_and_accelerators_that_nobody_uses_make_no_timing_unstable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stopwatch, "device_state", lambda: _accelerators("heat, slowed by hardware"))
    monkeypatch.setattr(stopwatch, "accelerated", lambda: False)
    timing = _time(Machine(), 0.001, 0.008)
    assert timing.machine == _accelerators("heat, slowed by hardware")
    assert timing.unstable == ""


def test_both_arms_run_in_either_order() -> None:
    order: list[str] = []
    machine = Machine()

    def arm(name: str) -> None:
        order.append(name)
        machine.call(0.010)

    time_pair(lambda: arm("a"), lambda: arm("b"), TimingSettings(0.5, seed=3), clock=Clock(machine.clock))
    text = "".join(order)
    assert "aa" + "bb" * 2 + "aa" in text
    assert "bb" + "aa" * 2 + "bb" in text


def test_programs_that_take_the_cores_are_noticed_and_hardly_move_the_ratio() -> None:
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


def test_timing_ends_early_where_the_ratio_is_known_and_spends_the_budget_where_none_is_asked() -> None:
    def spent(precision: float | None, noise: float) -> float:
        machine = Machine(noise=noise)
        call = lambda: machine.call(0.002)  # noqa: E731
        time_pair(call, call, TimingSettings(4.0, seed=0, precision=precision), clock=Clock(machine.clock))
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
        TimingSettings(budget_s=4.0, seed=0, precision=None, rest_s=3.0),
        clock=Clock(machine.clock, rest),
    )
    assert timing.speedup == pytest.approx(8.0)
    assert timing.unstable == ""
    assert 3 <= len(rests) <= 4
    assert np.diff(rests) == pytest.approx(4.0, abs=0.2)


def test_as_many_calls_are_timed_as_a_high_percentile_needs() -> None:
    def timed(least_calls: int) -> Any:
        machine = Machine(noise=0.001)
        call = lambda: machine.call(0.02)  # noqa: E731
        settings = TimingSettings(1.2, seed=0, least_calls=least_calls)
        return time_pair(call, call, settings, clock=Clock(machine.clock))

    assert timed(0).latency_p99_ms is None
    assert timed(1000).latency_p99_ms == pytest.approx(20.0, rel=0.01)


def test_every_candidate_has_its_own_ratio_and_all_run_within_one_block() -> None:
    order: list[str] = []
    machine = Machine(drift=0.1)

    def arm(name: str, seconds: float) -> None:
        order.append(name)
        machine.call(seconds)

    half, same = time_interleaved(
        lambda: arm("a", 0.004),
        [lambda: arm("b", 0.008), lambda: arm("c", 0.004)],
        TimingSettings(budget_s=0.5, seed=0),
        clock=Clock(machine.clock),
    )
    assert half.speedup == pytest.approx(0.5, rel=0.02)
    assert same.speedup == pytest.approx(1.0, rel=0.02)
    text, calls = "".join(order), {"a": 2 + 3, "b": 2 + 2, "c": 2 + 3}
    length = 2 * sum(calls.values())
    blocks = [_order(text[-length * (i + 1) :], calls) for i in range(half.blocks)]
    assert all(sorted(block[:3]) == ["a", "b", "c"] and block[3:] == block[2::-1] for block in blocks)
    assert len(set(blocks)) > 3


def _order(text: str, calls: dict[str, int]) -> str:
    """The order of the first six half-blocks in ``text``, which has a letter for each call."""
    order = ""
    while len(order) < 6:
        order += text[0]
        text = text[calls[text[0]] :]
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
        time_pair(lambda: None, lambda: None, TimingSettings(1.0, seed=0), clock=Clock(machine.clock))


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


def test_the_warm_up_is_told_in_seconds() -> None:
    assert _time(Machine(), 0.001, 0.008).warm_up_s == pytest.approx(0.011)
