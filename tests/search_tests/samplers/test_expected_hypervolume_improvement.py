"""The expected gain of hypervolume, against sampling and against the hypervolume itself."""

import numpy as np
import pytest

from search.objectives.pareto_front import hypervolume
from search.samplers.expected_hypervolume_improvement import Posterior, expected_improvement, free_boxes
from search.samplers.output_transform import Floats, ShiftedLog

SCALE = ShiftedLog(0.1)


def known(values: Floats) -> list[Posterior]:
    return [Posterior(SCALE, column, np.zeros(len(column)), np.ones(len(column))) for column in values.T]


def points(count: int, objectives: int, seed: int = 0) -> Floats:
    """A cloud with a front of many points."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(objectives), count)
    return 1 - np.sqrt(shares) * random.uniform(0.5, 0.9, (count, 1))


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_a_known_candidate_gains_what_the_hypervolume_grows_by(objectives: int, count: int) -> None:
    front, candidates = points(count, objectives), points(40, objectives, seed=1)
    before = hypervolume(front)
    grown = [hypervolume(np.vstack([front, one])) - before for one in candidates]
    boxes = free_boxes(front, np.ones(objectives))
    assert expected_improvement(known(candidates), *boxes) == pytest.approx(np.array(grown), abs=1e-12)


def test_points_that_share_a_coordinate_cut_no_box_twice() -> None:
    front = np.array([[0.2, 0.5, 0.5], [0.5, 0.2, 0.5], [0.5, 0.5, 0.2], [0.2, 0.6, 0.2], [0.6, 0.2, 0.2]])
    lower, upper = free_boxes(front, np.ones(3))
    free = np.prod(upper - np.maximum(lower, 0), axis=1).sum()
    assert free == pytest.approx(1 - hypervolume(front))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_gain_of_a_belief_is_the_mean_over_its_samples(objectives: int) -> None:
    random = np.random.default_rng(2)
    front = points(6, objectives)
    boxes = free_boxes(front, np.ones(objectives))
    mean, sd = np.log(random.uniform(0.3, 0.8, objectives)), 0.3
    samples = np.exp(mean + sd * random.standard_normal((60_000, objectives))) - SCALE.shift
    posteriors = [Posterior(SCALE, np.array([np.nan]), np.array([m]), np.array([sd])) for m in mean]
    brute = expected_improvement(known(samples), *boxes).mean()
    assert expected_improvement(posteriors, *boxes)[0] == pytest.approx(brute, rel=0.02)


def test_what_is_known_and_what_is_believed_go_together() -> None:
    boxes = free_boxes(np.array([[0.5, 0.5]]), np.ones(2))
    speed = Posterior(SCALE, np.array([0.2, 0.2]), np.zeros(2), np.ones(2))
    accuracy = Posterior(SCALE, np.array([np.nan, 0.4]), np.log([0.5, 0.5]), np.array([1e-6, 1e-6]))
    gain = expected_improvement([speed, accuracy], *boxes)
    assert gain[0] == pytest.approx(gain[1], abs=1e-5)


def test_the_reference_point_may_lie_anywhere() -> None:
    boxes = free_boxes(np.array([[2.0, 8.0]]), np.array([4.0, 10.0]))
    assert expected_improvement(known(np.array([[1.0, 9.0], [3.0, 9.0]])), *boxes).tolist() == [1.0, 0.0]


def test_points_behind_the_reference_point_and_repeated_ones_change_nothing() -> None:
    front = np.array([[0.2, 0.6], [0.5, 0.3]])
    more = np.vstack([front, front, [[0.1, 1.2], [0.6, 0.6]]])
    assert {*map(tuple, free_boxes(more, np.ones(2))[1])} == {*map(tuple, free_boxes(front, np.ones(2))[1])}


def test_a_belief_keeps_a_bound_as_often_as_it_says() -> None:
    posterior = Posterior(SCALE, np.array([np.nan, -1.0, 1.0]), np.full(3, np.log(0.1)), np.full(3, 0.5))
    assert posterior.below(0.0) == pytest.approx([0.5, 1.0, 0.0])
    assert posterior.expected() == pytest.approx([0.0, -1.0, 1.0])
