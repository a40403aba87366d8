"""Which trials are stopped early."""

import numpy as np
import pytest
from numpy.typing import NDArray

from search.driver.successive_halving import Rungs, levels_of

LEVELS = (1, 2, 4, 8)
EVERY_RUNG = range(len(LEVELS) - 1)


def curves(seed: int, trials: int = 60, objectives: int = 2, steps: int | None = None) -> NDArray[np.float64]:
    """Random losses ``(trials, rungs, objectives)``; with ``steps``, so few values that many are equal."""
    drawn = np.random.default_rng(seed).random((trials, len(LEVELS) - 1, objectives))
    return np.floor(drawn * steps) if steps else drawn


def decide(losses: NDArray[np.float64], reduction: float = 2.0) -> list[list[bool]]:
    """Every trial reported at every rung until it is stopped."""
    rungs, answers = Rungs(LEVELS, reduction), []
    for trial, of_trial in enumerate(losses):
        answers.append([])
        for rung, row in enumerate(of_trial):
            answers[-1].append(rungs.report(trial, rung, row.tolist()))
            if not answers[-1][-1]:
                break
    return answers


@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_a_trial_that_nothing_dominates_is_never_stopped(seed, objectives, steps):
    losses = curves(seed, objectives=objectives, steps=steps)
    rungs = Rungs(LEVELS, reduction=4)
    reported = [[] for _ in EVERY_RUNG]
    stopped = 0
    for trial, of_trial in enumerate(losses):
        for rung, row in enumerate(of_trial):
            dominated = any((other <= row).all() and (other < row).any() for other in reported[rung])
            reported[rung].append(row)
            goes_on = rungs.report(trial, rung, row.tolist())
            assert goes_on or dominated
            stopped += not goes_on
            if not goes_on:
                break
    assert stopped > len(losses) / 4


@pytest.mark.parametrize("seed", range(5))
def test_a_trial_that_dominates_all_others_goes_on_even_where_its_projected_losses_are_poor(seed):
    rungs = Rungs((1, 2, 3), reduction=4)
    for trial, row in enumerate(1 + curves(seed)[:, 0]):
        rungs.report(trial, 0, (row + 5).tolist())
        rungs.report(trial, 1, row.tolist())
    assert rungs.report(1000, 0, [-9.0, -9.0])
    assert rungs.report(1000, 1, [0.5, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_a_study_that_is_replayed_in_order_decides_as_it_did_and_goes_on_the_same(seed):
    losses = curves(seed)
    uninterrupted = Rungs(LEVELS)
    asked = [(t, 0, losses[t, 0].tolist()) for t in range(60)] + [(t, 1, losses[t, 1].tolist()) for t in range(60)]
    answers = [uninterrupted.report(*report) for report in asked]
    resumed = Rungs(LEVELS)
    assert [resumed.report(*report) for report in asked[:90]] == answers[:90]
    assert [resumed.report(*report) for report in asked] == answers


def test_a_report_that_is_repeated_counts_once_and_keeps_its_answer():
    once, twice = Rungs(LEVELS, 3), Rungs(LEVELS, 3)
    for trial, of_trial in enumerate(curves(7)):
        for rung in (0, 1):
            answer = once.report(trial, rung, of_trial[rung].tolist())
            assert [twice.report(trial, rung, of_trial[rung].tolist()) for _ in range(3)] == [answer] * 3
            assert twice.report(0, 0, [9.0, 9.0])  # long after others came


@pytest.mark.parametrize("factors", [(1000.0, 1.0), (1.0, 2.0**-20), (3e7, 7e-5)])
@pytest.mark.parametrize("seed", range(3))
def test_multiplying_an_objective_changes_no_decision(seed, factors):
    losses = curves(seed)
    assert decide(losses * np.array(factors)) == decide(losses)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_objectives_changes_no_decision(seed):
    losses = curves(seed)
    assert decide(losses[:, :, ::-1]) == decide(losses)


@pytest.mark.parametrize("reduction", [2, 3, 4])
def test_about_one_in_reduction_goes_on_where_trials_are_exchangeable(reduction):
    going_on = np.mean([[a[1] for a in decide(curves(seed, trials=300), reduction)] for seed in range(5)])
    assert 0.8 / reduction < going_on < 1.25 / reduction


def test_the_first_rung_stops_nobody():
    assert all(answers[0] for answers in decide(curves(1), reduction=10))


def report_crowd(rungs: Rungs) -> None:
    """Twenty trials that do not change, each dominated by the one before."""
    for trial in range(20):
        for rung in (0, 1):
            rungs.report(trial, rung, [float(trial), float(trial)])


def test_a_trial_that_gains_fast_goes_on_where_one_that_stands_still_is_stopped():
    rungs = Rungs(LEVELS, 4)
    report_crowd(rungs)
    rungs.report(100, 0, [30.0, 30.0])
    rungs.report(101, 0, [15.5, 15.5])
    assert rungs.report(100, 1, [15.5, 15.5])
    assert not rungs.report(101, 1, [15.5, 15.5])


def test_a_trial_first_seen_at_a_later_rung_is_judged_by_its_losses_as_they_are():
    rungs = Rungs(LEVELS, 4)
    report_crowd(rungs)
    assert not rungs.report(100, 1, [15.5, 15.5])
    assert rungs.report(101, 1, [0.5, 0.5])


def crowded_front(last: list[float]) -> bool:
    """The answer to ``last`` where one leader dominates a crowded group of equals that it joins."""
    rungs = Rungs((1, 2, 3), reduction=3)  # three of nine: the leader and two of the equals
    rows = [[0.0, 0.0], *([20.0 + n, 40.0 - n] for n in range(7)), last]
    for trial, row in enumerate(rows):
        rungs.report(trial, 0, row)
        answer = rungs.report(trial, 1, row)
    return answer


def test_among_equals_the_one_far_from_the_others_goes_on():
    assert crowded_front([90.0, 1.0])
    assert not crowded_front([22.5, 37.5])


def test_a_loss_that_could_not_be_measured_counts_as_worst_and_hurts_no_other():
    rungs = Rungs(LEVELS, 3)
    rungs.report(0, 0, [1.0, np.inf])
    assert rungs.report(0, 1, [0.5, np.inf])
    for trial in range(1, 20):
        rungs.report(trial, 0, [1.0, 1.0 + trial])
        rungs.report(trial, 1, [0.4, 1.0 + trial])
    rungs.report(100, 0, [1.0, np.inf])
    assert not rungs.report(100, 1, [0.45, np.inf])
    rungs.report(101, 0, [1.0, np.inf])
    assert not rungs.report(101, 1, [0.45, 15.0])  # measured at last, but no better for it


@pytest.mark.parametrize("losses", [[np.nan, 1.0], [1.0, -np.inf], [], [1.0, 2.0, 3.0]])
def test_losses_that_are_no_numbers_or_too_many_are_refused_and_leave_no_trace(losses):
    rungs = Rungs(LEVELS)
    rungs.report(0, 0, [1.0, 1.0])
    with pytest.raises(ValueError, match="loss"):
        rungs.report(1, 0, losses)
    assert rungs.report(1, 0, [2.0, 2.0])


@pytest.mark.parametrize("rung", [-1, 3])
def test_a_rung_that_is_not_there_is_refused(rung):
    with pytest.raises(ValueError, match="rungs 0 to 2"):
        Rungs(LEVELS).report(0, rung, [1.0])


@pytest.mark.parametrize(("levels", "reduction"), [((), 2), ((0, 1), 2), ((2, 2), 2), ((3, 1), 2), ((1, 2), 1)])
def test_levels_that_do_not_rise_and_a_reduction_that_reduces_nothing_are_refused(levels, reduction):
    with pytest.raises(ValueError, match="give"):
        Rungs(levels, reduction)


def test_levels_rise_to_the_whole_training_and_their_last_step_is_worth_taking():
    for epochs in range(1, 300):
        levels = levels_of(epochs)
        assert levels[-1] == epochs
        assert list(levels) == sorted(set(levels))
        assert len(levels) == 1 or levels[-1] > levels[-2] * 1.2


@pytest.mark.parametrize(
    ("epochs", "levels"),
    [(1, (1,)), (2, (1, 2)), (5, (1, 2, 3, 4, 5)), (8, (1, 2, 3, 4, 6, 8)), (25, (1, 2, 3, 4, 6, 9, 14, 25))],
)
def test_levels_of_known_numbers_of_epochs(epochs, levels):
    assert levels_of(epochs) == levels


def test_no_epochs_have_no_levels():
    with pytest.raises(ValueError, match="1 or more"):
        levels_of(0)
