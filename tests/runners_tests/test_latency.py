"""The paired stopwatch, on a clock that the test turns."""

import numpy as np
import pytest

from runners.measuring.latency import bootstrap_median, summarise, time_pair


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
    covered = 0
    for seed in range(60):
        low, high = _time(Machine(noise=0.2, seed=seed), 0.002, 0.006, budget_s=0.5).speedup_ci95
        covered += low <= 3.0 <= high
    assert covered >= 50


def test_a_baseline_against_itself_is_seldom_called_different() -> None:
    intervals = [_time(Machine(noise=0.1, seed=seed), 0.002, 0.002, budget_s=0.5).speedup_ci95 for seed in range(60)]
    assert sum(not low <= 1.0 <= high for low, high in intervals) <= 7


def test_a_wide_interval_is_called_unstable() -> None:
    random = np.random.default_rng(0)
    blocks = [random.lognormal(0, 2, 6) for _ in range(12)]
    assert "interval" in summarise(blocks, [np.ones(6)] * 12, seed=0).unstable
    assert summarise([np.ones(6)] * 12, [np.ones(6)] * 12, seed=0).unstable == ""
    assert "warm-up" in summarise([np.ones(6)] * 12, [np.ones(6)] * 12, seed=0, steady=False).unstable


def test_both_sides_run_in_either_order() -> None:
    order: list[str] = []
    machine = Machine()

    def side(name: str) -> None:
        order.append(name)
        machine.call(0.003)

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


def test_the_bootstrap_interval_is_that_of_the_median() -> None:
    values = np.random.default_rng(0).normal(5, 1, 400)
    low, high = bootstrap_median(values, seed=0)
    assert low < np.median(values) < high
    assert high - low == pytest.approx(2 * 1.96 * 1.2533 / 20, rel=0.35)
