"""When a claim holds: each timing by itself, and one that is not to be trusted decides nothing."""

import json
from typing import Any

import numpy as np
import pytest

from runners.artifacts.checked_claim import CheckedClaim, check_accuracies, check_speedup
from runners.artifacts.document import ClaimedDocument, Claims
from runners.measuring.group import combine
from runners.measuring.paired_timing import PairedTiming
from runners.metric import QualityMetric
from runners.quality.quality import Accuracies

BUSY = "the machine was busy"


def claimed(speedup: float, processes: int = 4, **other: Any) -> ClaimedDocument:
    """A document with that claim, which has no error of its own and was made in so many processes."""
    claims = {"accuracy": 0.9, "speedup": speedup, "speedup_ci95": [speedup, speedup], **other}
    return ClaimedDocument.model_validate(
        {
            "runtime": {"name": "torchscript", "threads": 1},
            "input": {"shape": ["batch", 1]},
            "files": {},
            "origin": {"workload": "synthetic"},
            "measured": {"device": "here", "baseline_threads": 1, "seed": 0, "processes": processes},
            "claims": claims,
        }
    )


def timing(low: float, speedup: float, high: float, unstable: str = "") -> PairedTiming:
    return PairedTiming(speedup, (low, high), 1.0, 1.0, None, 1.0, 12, 0, 0, 0.1, unstable, {})


def check(claim: float, *timings: PairedTiming, device: str = "here", **other: Any) -> CheckedClaim:
    """The claim held to timings in one process each."""
    return check_speedup(claimed(claim, **other), [[one] for one in timings], device)


@pytest.mark.parametrize(
    ("low", "found", "high", "holds"),
    [
        (9.5, 9.8, 10.0, True),
        (9.5, 9.8, 9.99, False),  # the interval does not reach it
        (6.0, 8.99, 14.0, False),  # less than 90 % of it, however wide the interval is
        (6.0, 9.0, 14.0, True),
        (11.0, 12.0, 13.0, True),  # faster than it was claimed
        (6.5, 7.0, 7.5, False),
    ],
)
def test_a_timing_has_to_reach_the_claim_with_its_interval_and_nine_tenths_of_it_with_its_estimate(
    low: float, found: float, high: float, holds: bool
) -> None:
    assert check(10.0, timing(low, found, high)).holds is holds


def test_the_claims_own_error_counts_as_that_of_the_timing_does() -> None:
    both = timing(9.5, 9.6, 9.7)  # 1 % above, and the claim 3.5 % down: 3.7 % together
    assert check(10.0, both).holds is False
    assert check(10.0, both, speedup_ci95=[9.655, 10.3]).holds is False
    assert check(10.0, both, speedup_ci95=[9.60, 10.3]).holds is True
    assert check(10.0, timing(8.5, 8.9, 9.3), speedup_ci95=[5.0, 15.0]).holds is False, "below 90 % of it"


def test_eight_of_a_hundred_true_claims_are_refused_without_it_and_three_at_most_with_it() -> None:
    random, error, half = np.random.default_rng(0), 0.02, 1.96 * 0.02

    def refused(own_error: bool) -> float:
        truths = 10 * np.exp(error * random.standard_normal((2000, 2)))
        verdicts = [
            check(
                claim,
                timing(found * np.exp(-half), found, found * np.exp(half)),
                speedup_ci95=[claim * np.exp(-half * own_error), claim],
            ).holds
            for claim, found in truths.tolist()
        ]
        return 1 - np.mean(verdicts)

    assert refused(own_error=False) == pytest.approx(0.083, abs=0.02)
    assert refused(own_error=True) <= 0.035


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("between", [0.004, 0.012, 0.03])
def test_of_true_claims_few_are_refused_however_much_processes_differ(between: float, processes: int) -> None:
    """A claim of several processes has an interval that holds their spread; that of one process does not know it."""
    random, own = np.random.default_rng(0), 0.005

    def timed(count: int) -> list[PairedTiming]:
        speedups = 10 * np.exp(random.normal(0, np.hypot(between, own), count))
        half = np.exp(1.96 * own)
        return [timing(one / half, one, one * half) for one in speedups.tolist()]

    def holds() -> bool | None:
        claim = combine(timed(processes))
        document = claimed(claim.speedup, processes, speedup_ci95=[*claim.speedup_ci95])
        return check_speedup(document, [timed(3)], "here").holds

    assert np.mean([not holds() for _ in range(1000)]) <= 0.05


def test_a_claim_of_ten_does_not_pass_at_seven_by_joining_intervals() -> None:
    found = check(10.0, timing(5.0, 7.0, 9.5), timing(6.5, 8.0, 10.5))
    assert found.holds is False
    assert (found.found, found.found_ci95) == (8.0, (6.5, 10.5)), "of several the best is shown"


def test_one_of_two_timings_has_to_show_it_alone() -> None:
    short, far = timing(9.0, 9.2, 9.4), timing(6.0, 8.5, 11.0)  # one is near enough, the other reaches it
    assert check(10.0, short, far).holds is False
    for timings in ((short, timing(9.7, 9.9, 10.1)), (timing(9.7, 9.9, 10.1), short)):
        found = check(10.0, *timings)
        assert found.holds is True
        assert found.found == 9.9
        assert [attempt.holds for attempt in found.attempts].count(True) == 1
        assert "timed 2 times" in found.note


def test_a_timing_that_is_not_to_be_trusted_decides_nothing_and_its_reason_is_told() -> None:
    good, bad, doubted = timing(9.7, 9.9, 10.1), timing(6.9, 7.0, 7.1), timing(9.7, 9.9, 10.1, BUSY)
    assert check(10.0, doubted).holds is None
    assert check(10.0, doubted).is_undecided
    assert check(10.0, doubted, doubted).holds is None
    assert check(10.0, doubted, bad).holds is False
    assert check(10.0, bad, doubted).holds is False
    assert check(10.0, timing(6.9, 7.0, 7.1, BUSY), good).holds is True
    assert f"attempt 2 decides nothing: {BUSY}" in check(10.0, bad, doubted).note


def test_the_best_that_is_shown_is_the_one_that_decides() -> None:
    found = check(10.0, timing(9.0, 20.0, 40.0, BUSY), timing(9.7, 9.9, 10.1))
    assert (found.found, found.holds) == (9.9, True)


def test_a_claim_of_another_machine_is_not_judged() -> None:
    found = check(10.0, timing(1.0, 1.0, 1.0), device="elsewhere")
    assert found.holds is None
    assert not found.is_undecided
    assert found.note == "not compared: claimed on here, found on elsewhere"


def test_a_claim_that_was_in_doubt_when_it_was_made_says_so() -> None:
    note = check(4.0, timing(3.9, 4.0, 4.1), unstable="the interval is wide").note
    assert note.endswith("; not to be trusted when it was claimed: the interval is wide")


def test_all_attempts_are_told_in_words_and_as_json() -> None:
    found = check(10.0, timing(6.5, 7.0, 7.5), timing(7.5, 8.0, 8.5, BUSY))
    assert found.in_words() == "speedup claimed 10, found 7 (6.5 to 7.5) and 8 (7.5 to 8.5)"
    attempts = json.loads(json.dumps(found.to_json()))["attempts"]
    assert attempts == [
        {"found": 7.0, "found_ci95": [6.5, 7.5], "reach": pytest.approx(7.5), "unstable": "", "holds": False},
        {"found": 8.0, "found_ci95": [7.5, 8.5], "reach": pytest.approx(8.5), "unstable": BUSY, "holds": None},
    ]


def test_of_each_accuracy_the_lowest_counts_and_may_be_half_a_percent_below_the_claim() -> None:
    claims = Claims(accuracy=0.9, accuracy_test=0.8, speedup=1.0, speedup_ci95=[1.0, 1.0])
    measured = [Accuracies(0.91, (0.9, 0.92), 0.79, (0.7, 0.8)), Accuracies(0.895, (0.8, 0.9), 0.85, (0.8, 0.9))]
    accuracy, accuracy_test = check_accuracies(claims, measured)
    assert (accuracy.found, accuracy.found_ci95, accuracy.holds) == (0.895, (0.8, 0.9), True)
    assert (accuracy_test.found, accuracy_test.holds) == (0.79, False)


def test_an_error_holds_up_to_half_a_percent_above_the_claim() -> None:
    claims = Claims(accuracy=2.0, speedup=1.0, speedup_ci95=[1.0, 1.0])
    rmse = QualityMetric("rmse", higher_is_better=False, unit="K")

    def found(*values: float) -> CheckedClaim:
        return check_accuracies(claims, [Accuracies(value, (value, value)) for value in values], rmse)[0]

    assert (found(1.0).holds, found(2.009).holds, found(2.02).holds) == (True, True, False)
    assert found(1.9, 2.02).found == 2.02, "the worst counts"
    assert found(2.0).note == "holds up to 2.01 K"
