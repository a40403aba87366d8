"""What is certainly better: by the paired interval where both answered the same examples, else by each one's own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from search_tests.simulation import measurement

from runners.quality.answers import RESAMPLES, Answers
from search.objectives.dominance import certainly_better, dominates, tied, undominated
from search.objectives.loss_table import LossTable, loss_table
from search.objectives.objective import find_objectives

OBJECTIVES = find_objectives(["speedup", "accuracy_drop"])
EXAMPLES = 300
EVERYONE = np.ones(EXAMPLES, dtype=bool)


def answers_with(*wrong: int) -> Answers:
    """Answers of which those to the examples ``wrong`` are not correct."""
    correct = EVERYONE.copy()
    correct[list(wrong)] = False
    return Answers.of_correct(correct)


def table(*rows: tuple[float, Answers | None], accuracies: Sequence[float] = ()) -> LossTable:
    """Candidates with these speedups and answers, with intervals of an accuracy that overlap widely."""
    shares = accuracies or [_share(answers) for _, answers in rows]
    wide = [
        measurement(share, speedup, accuracy_ci95=(share - 0.03, share + 0.03))
        for (speedup, _), share in zip(rows, shares, strict=True)
    ]
    return loss_table(OBJECTIVES, wide, measurement(0.99, 1.0), 0.0, [answers for _, answers in rows])


def _share(answers: Answers | None) -> float:
    return float(np.unpackbits(answers.array, count=EXAMPLES).mean()) if answers else 0.95


PERFECT, SIX_WRONG, FIVE_WRONG = answers_with(), answers_with(*range(6)), answers_with(*range(5))


def test_a_small_difference_that_is_certain_in_pairs_is_no_tie() -> None:
    found = table((5.0, PERFECT), (5.0, SIX_WRONG))
    assert certainly_better(found, 0, 1).tolist() == [[False, True]]
    assert certainly_better(found, 1, 0).tolist() == [[False, False]]
    assert tied(found) == [[], []]
    assert undominated(found).tolist() == [True, False]


def test_one_that_chance_explains_is_a_tie() -> None:
    found = table((5.0, PERFECT), (5.0, FIVE_WRONG))
    assert tied(found) == [[1], [0]]
    assert undominated(found).tolist() == [True, True]


def test_as_many_differences_both_ways_are_a_tie_however_many_they_are() -> None:
    found = table((5.0, answers_with(*range(40))), (5.0, answers_with(*range(42, 80))))
    assert tied(found) == [[1], [0]]


@pytest.mark.parametrize("other", [None, Answers.of_correct(np.zeros(EXAMPLES + 1, dtype=bool))], ids=["none", "more"])
def test_without_answers_to_the_same_examples_the_intervals_of_each_decide(other: Answers | None) -> None:
    found = table((5.0, PERFECT), (5.0, other), accuracies=(1.0, 0.95))
    assert tied(found) == [[1], [0]]
    apart = table((5.0, PERFECT), (5.0, other), accuracies=(1.0, 0.93))
    assert undominated(apart).tolist() == [True, False]


def test_a_resampled_metric_is_compared_in_pairs_too() -> None:
    common = np.random.default_rng(0).normal(0, 0.01, RESAMPLES)
    better, worse = (Answers.of_resampled(mean + common, EXAMPLES) for mean in (0.96, 0.94))
    found = table((5.0, better), (5.0, worse), accuracies=(0.96, 0.94))
    assert undominated(found).tolist() == [True, False]
    assert tied(table((5.0, better), (5.0, worse), accuracies=(0.93, 0.94))) == [[1], [0]], "estimates that disagree"


def _cloud(seed: int) -> LossTable:
    """Candidates of many accuracies and speeds; some of them without answers."""
    random = np.random.default_rng(seed)
    hard = random.random(EXAMPLES)
    rows: list[tuple[float, Answers | None]] = []
    for _ in range(40):
        correct = hard + random.normal(0, 0.02, EXAMPLES) < random.uniform(0.85, 1.0)
        rows.append((float(random.integers(2, 9)), Answers.of_correct(correct) if random.random() < 0.8 else None))
    return table(*rows)


@pytest.mark.parametrize("seed", range(12))
def test_the_front_is_that_of_all_pairs(seed: int) -> None:
    found = _cloud(seed)
    rows = range(len(found.points))
    pairs = [(one, other) for one in rows for other in rows if dominates(found, one, other)[0]]
    assert undominated(found).tolist() == [row not in {other for _, other in pairs} for row in rows]
    assert all((found.points[one] <= found.points[other]).all() for one, other in pairs)
    assert len(pairs) > len(_unpaired_pairs(found)), "pairs tell more apart"


@pytest.mark.parametrize("seed", range(6))
def test_ties_are_those_that_nothing_tells_apart(seed: int) -> None:
    found = _cloud(seed)
    for row, others in enumerate(tied(found)):
        apart = [o for o in range(40) if certainly_better(found, row, o).any() or certainly_better(found, o, row).any()]
        assert sorted([*others, *apart, row]) == list(range(40))


def _unpaired_pairs(found: LossTable) -> list[Any]:
    plain = LossTable.of(found.points, found.lower, found.upper)
    return [(one, other) for one in range(40) for other in range(40) if dominates(plain, one, other)[0]]
