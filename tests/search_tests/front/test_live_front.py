"""The front that grows with the search is, after every trial, the front of all trials."""

from typing import Any

import numpy as np
import pytest
from search_tests.simulation import measurement

from runners.quality.answers import Answers
from search.front.front import compute_front
from search.front.live_front import LiveFront
from search.objectives.constraint import Constraint
from search.objectives.loss_table import loss_table, losses
from search.objectives.objective import find_objectives
from search.study.study import TrialRecord

OBJECTIVES = (["accuracy", "speedup"], ["accuracy_drop", "latency_p99_ms", "size_mib"], ["speedup"])


def trials(seed: int, count: int, answered: float = 0.0) -> list[TrialRecord]:
    """Figures on a coarse grid, so that some are equal, with intervals of different widths; some were not measured.

    Of a share of them, ``answered``, the answers are known.
    """
    random = np.random.default_rng(seed)
    return [_trial(number, random, answered) for number in range(count)]


def _trial(number: int, random: np.random.Generator, answered: float) -> TrialRecord:
    figures = _figures(random)
    difficulties = np.linspace(0, 1, 200) + random.normal(0, 0.01, 200)
    answers = Answers.of_correct(difficulties < figures["accuracy"]) if random.random() < answered else None
    return TrialRecord(number, "complete", None, figures, answers=answers)


def _figures(random: np.random.Generator) -> dict[str, Any]:
    accuracy, speedup = 0.95 - 0.01 * random.integers(0, 12), 1.0 + 0.5 * random.integers(0, 12)
    wide = float(random.choice([0.0, 0.005, 0.03]))
    fast = float(random.choice([0.0, 0.02, 0.2]))
    return measurement(
        float(accuracy),
        float(speedup),
        accuracy_ci95=(accuracy - wide, accuracy + wide * random.random()),
        speedup_ci95=(speedup * (1 - fast), speedup * (1 + fast * random.random())),
        latency_p99_ms=None if random.random() < 0.2 else float(3.0 / speedup),
        size_mib=float(random.integers(1, 6)),
    )


@pytest.mark.parametrize("names", OBJECTIVES, ids=len)
@pytest.mark.parametrize("bounds", [[], ["accuracy>=0.87", "size_mib<=4"]], ids=["free", "bound"])
@pytest.mark.parametrize("answered", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_after_every_trial_it_is_the_front_of_all(
    names: list[str], bounds: list[str], seed: int, answered: float
) -> None:
    objectives, constraints = find_objectives(names), [Constraint.parse(bound) for bound in bounds]
    resolution = 0.02 * (seed % 3)
    live, so_far = LiveFront(objectives, constraints, resolution), []
    for trial in trials(seed, 90, answered):
        live.add(trial)
        so_far.append(trial)
        members, volume = compute_front(so_far, objectives, constraints, resolution=resolution)
        assert live.members == members
        assert live.hypervolume == pytest.approx(volume, rel=1e-12)
    assert 0 < len(live.members) < 90


def test_nothing_is_on_it_before_the_baseline_came() -> None:
    some = trials(3, 20)
    objectives = find_objectives(OBJECTIVES[0])
    live = LiveFront(objectives, [])
    for trial in some[1:]:
        live.add(trial)
    assert (live.members, live.hypervolume) == ([], 0.0)
    live.add(some[0])
    assert live.members == compute_front([*some[1:], some[0]], objectives, [])[0]


@pytest.mark.parametrize("names", OBJECTIVES, ids=len)
def test_a_table_says_of_each_measurement_what_is_said_of_it_alone(names: list[str]) -> None:
    objectives = find_objectives(names)
    figures = [dict(trial.measurement or {}) for trial in trials(0, 40)]
    figures[3]["speedup"] = figures[3]["size_mib"] = 0.0
    for baseline in (figures[0], {**figures[0], "size_mib": 0.0}):
        table = loss_table(objectives, figures, baseline, 0.013)
        assert table.points.tolist() == [losses(objectives, one, baseline).tolist() for one in figures]
        alone = [loss_table(objectives, [one], baseline, 0.013) for one in figures]
        assert table.lower.tolist() == [one.lower[0].tolist() for one in alone]
        assert table.upper.tolist() == [one.upper[0].tolist() for one in alone]


def test_no_measurements_make_an_empty_table() -> None:
    assert loss_table(find_objectives(OBJECTIVES[1]), [], {}).points.shape == (0, 3)
