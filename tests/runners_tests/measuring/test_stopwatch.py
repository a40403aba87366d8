"""The paired stopwatch, on a clock that the test turns."""

from typing import Any

import numpy as np
import pytest

from runners.measuring import stopwatch
from runners.measuring.calls import Pass
from runners.measuring.disturbance import CoreUse, Others, Taken
from runners.measuring.stopwatch import TimingSettings, time_interleaved, time_pair
from runners.runner import StageFailed


class Unused(CoreUse):
    """Cores of which others take shares, by default none."""

    def __init__(self, share: float = 0.0, stolen: float = 0.0) -> None:
        self.shares = Taken(share, stolen)

    def taken(self) -> Taken:
        return self.shares


UNDISTURBED = Others(lambda: 0.0, lambda cores: False, lambda cores: Unused(), lambda: [0, 1])


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


def _time(machine: Machine, candidate: float, baseline: float, budget_s: float = 2.0, others: Others = UNDISTURBED):  # type: ignore[no-untyped-def]
    settings = TimingSettings(budget_s, seed=1)
    calls = (lambda: machine.call(candidate), lambda: machine.call(baseline))
    return time_pair(*calls, settings, machine.clock, others)


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
            now=machine.clock,
            others=UNDISTURBED,
        )
        false += not timing.speedup_ci95[0] <= 1.0 <= timing.speedup_ci95[1]
    assert false <= 10


@pytest.mark.parametrize("seconds", [0.0002, 0.031, 0.1, 0.3])
def test_steady_calls_are_trusted_however_long_they_take(seconds: float) -> None:
    timing = _time(Machine(noise=0.001), seconds / 4, seconds, budget_s=1.2)
    assert timing.unstable == ""
    assert timing.speedup == pytest.approx(4.0, rel=0.01)
    assert timing.blocks >= 5


def _accelerators(*reasons: str) -> dict[str, Any]:
    return {"accelerators": [{"sm_mhz": 900, "memory_mhz": 2619, "slowed_by": list(reasons)}]}


@pytest.mark.parametrize(
    ("state", "noise", "said"),
    [
        (_accelerators(), 0.0, ""),
        ({}, 0.0, ""),
        (_accelerators("heat, slowed by hardware"), 0.0, "an accelerator was slowed down: heat, slowed by hardware"),
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
    assert timing.machine == {**_accelerators("heat, slowed by hardware"), "disturbed": 0.0}
    assert timing.unstable == ""


def test_both_arms_run_in_either_order() -> None:
    order: list[str] = []
    machine = Machine()

    def arm(name: str) -> None:
        order.append(name)
        machine.call(0.010)

    time_pair(lambda: arm("a"), lambda: arm("b"), TimingSettings(0.5, seed=3), now=machine.clock, others=UNDISTURBED)
    text = "".join(order)
    assert "aa" + "bb" * 2 + "aa" in text
    assert "bb" + "aa" * 2 + "bb" in text


def test_as_many_calls_are_timed_as_a_high_percentile_needs() -> None:
    def timed(least_calls: int) -> Any:
        machine = Machine(noise=0.001)
        call = lambda: machine.call(0.02)  # noqa: E731
        settings = TimingSettings(1.2, seed=0, least_calls=least_calls)
        return time_pair(call, call, settings, now=machine.clock, others=UNDISTURBED)

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
        now=machine.clock,
        others=UNDISTURBED,
    )
    assert half.speedup == pytest.approx(0.5, rel=0.02)
    assert same.speedup == pytest.approx(1.0, rel=0.02)
    text, calls = "".join(order), {"a": 1 + 3, "b": 1 + 2, "c": 1 + 3}
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


def test_a_clock_that_never_moves_gives_no_number() -> None:
    machine = Machine()
    with pytest.raises(StageFailed, match="a call takes no time"):
        time_pair(lambda: None, lambda: None, TimingSettings(1.0, seed=0), now=machine.clock, others=UNDISTURBED)


def test_a_machine_that_crawls_is_given_up_in_time() -> None:
    machine = Machine()
    timing = _time(machine, 1.0, 1.0, budget_s=1.0)
    assert timing.blocks == 3
    assert machine.now < 60


def test_a_pause_in_the_middle_of_a_block_moves_nothing() -> None:
    class Paused(Machine):
        def call(self, seconds: float) -> None:
            super().call(seconds + (30.0 if 0.5 < self.now < 1.0 else 0.0))

    timing = _time(Paused(), 0.001, 0.008)
    assert timing.speedup == pytest.approx(8.0)
    assert timing.speedup_ci95[0] > 7.8
    assert timing.blocks >= 12


class Neighbour(Machine):
    """Another program runs on a core of two for ``share`` of the time, a stretch at a time: two threads wait for it."""

    def __init__(self, share: float, stretch_s: float) -> None:
        super().__init__(noise=0.01)
        self.share, self.stretch_s, self.waited = share, stretch_s, 0.0

    def call(self, seconds: float) -> None:
        is_there = self.now % self.stretch_s < self.share * self.stretch_s
        super().call(seconds)
        if is_there and seconds < 0.005:  # the candidate, on both cores; the baseline needs one
            self.waited += 3 * seconds
            self.now += 3 * seconds

    def others(self) -> Others:
        return Others(lambda: self.waited, lambda cores: False, lambda cores: Unused(self.share / 2), lambda: [0, 1])


def test_turns_in_which_threads_waited_for_a_core_do_not_count() -> None:
    machine = Neighbour(share=0.5, stretch_s=0.5)
    timing = _time(machine, 0.002, 0.008, others=machine.others())
    assert timing.speedup == pytest.approx(4.0, rel=0.03)
    assert timing.speedup_ci95[0] > 3.8
    assert timing.unstable == ""
    assert 0.2 < timing.machine["disturbed"] < 0.8


def test_where_no_turn_is_undisturbed_the_timing_waits_within_limits_and_says_busy() -> None:
    machine = Neighbour(share=1.0, stretch_s=1.0)
    timing = _time(machine, 0.002, 0.008, budget_s=1.0, others=machine.others())
    assert timing.unstable == "the machine was busy: others used 50% of the cores"
    assert timing.machine["disturbed"] == 1.0
    assert 4.5 < machine.now < 6


def test_a_timing_waits_for_a_quieter_minute_within_limits() -> None:
    machine = Neighbour(share=0.75, stretch_s=4.0)
    timing = _time(machine, 0.002, 0.008, budget_s=1.0, others=machine.others())
    assert timing.unstable == ""
    assert timing.speedup == pytest.approx(4.0, rel=0.03)
    assert machine.now > 3


def test_threads_of_the_candidate_that_wait_for_each_other_make_nothing_busy() -> None:
    machine = Neighbour(share=1.0, stretch_s=1.0)
    alone = Others(lambda: machine.waited, lambda cores: False, lambda cores: Unused(0.02), lambda: [0, 1])
    timing = _time(machine, 0.002, 0.008, budget_s=1.0, others=alone)
    assert timing.unstable == ""
    assert timing.speedup == pytest.approx(1.0, rel=0.05), "that is how long it takes by itself"


@pytest.mark.parametrize(
    ("cores", "said"), [([0, 1], "two cores were one physical core in 100% of the blocks"), ([0], "")]
)
def test_two_cores_that_are_one_are_told_where_there_are_two(cores: list[int], said: str) -> None:
    shared = Others(lambda: 0.0, lambda cores: True, lambda cores: Unused(), lambda: cores)
    assert _time(Machine(), 0.001, 0.008, others=shared).unstable == said


def test_blocks_in_which_two_cores_are_one_do_not_count() -> None:
    machine = Machine()

    def is_shared(cores: Any) -> bool:
        return machine.now % 1.0 < 0.5

    class Slower(Machine):
        def call(self, seconds: float) -> None:
            machine.call(seconds * (2.0 if seconds < 0.005 and machine.now % 1.0 < 0.5 else 1.0))

    others = Others(lambda: 0.0, is_shared, lambda cores: Unused(), lambda: [0, 1])
    slower = Slower()
    timing = time_pair(
        lambda: slower.call(0.002), lambda: slower.call(0.008), TimingSettings(2.0, 0), machine.clock, others
    )
    assert timing.speedup_ci95[0] > 3.9
    assert timing.unstable == ""


@pytest.mark.parametrize(("cores", "said"), [([0, 1], "the host took 20% of the cores for others"), ([0], "")])
def test_cores_that_the_host_takes_away_are_told_where_threads_wait_for_each_other(cores: list[int], said: str) -> None:
    stolen = Others(lambda: 0.0, lambda cores: False, lambda cores: Unused(0.2, 0.2), lambda: cores)
    assert _time(Machine(), 0.001, 0.008, others=stolen).unstable == said


def test_the_speedup_over_several_inputs_is_that_of_their_mean_time() -> None:
    machine = Machine()
    fast, slow = (lambda: machine.call(0.001)), (lambda: machine.call(0.005))
    settings = TimingSettings(2.0, seed=1)
    timing = time_pair(
        Pass([fast, fast, fast, slow]), lambda: machine.call(0.008), settings, machine.clock, UNDISTURBED
    )
    assert timing.speedup == pytest.approx(4.0)
    assert timing.latency_p50_ms == pytest.approx(1.0)
    assert timing.latency_p90_ms == pytest.approx(3.8)
    assert (timing.timed_inputs, timing.outliers) == (4, 0)


def test_a_disturbance_of_some_passes_does_not_move_the_speedup_over_several_inputs() -> None:
    timings = []
    for noise in (0.0, 0.3):
        machine = Machine(noise=noise, seed=3)

        def call(machine: Machine = machine, seconds: float = 0.001) -> None:
            machine.call(seconds)

        arms = Pass([call] * 4), call
        timings.append(time_pair(*arms, TimingSettings(2.0, seed=1), machine.clock, UNDISTURBED))
    assert timings[0].speedup == pytest.approx(1.0)
    assert timings[1].speedup_ci95[0] <= 1.0 <= timings[1].speedup_ci95[1]
