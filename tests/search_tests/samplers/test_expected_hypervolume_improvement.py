"""The expected hypervolume improvement, against sampling and against the hypervolume itself."""

import numpy as np
import pytest

from search.objectives.arrays import Floats
from search.objectives.pareto_front import hypervolume
from search.samplers.expected_hypervolume_improvement import expected_hypervolume_improvement, nondominated_boxes
from search.samplers.posterior import Posterior, ShiftedLog

TRANSFORM = ShiftedLog(0.1)


def known(values: Floats) -> list[Posterior]:
    return [Posterior(TRANSFORM, column, np.zeros(len(column)), np.ones(len(column))) for column in values.T]


def points(count: int, objectives: int, seed: int = 0) -> Floats:
    """A cloud with a front of many points."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(objectives), count)
    return 1 - np.sqrt(shares) * random.uniform(0.5, 0.9, (count, 1))


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 12])
def test_an_observed_candidate_improves_by_what_the_hypervolume_grows(objectives: int, count: int) -> None:
    front, candidates = points(count, objectives), points(40, objectives, seed=1)
    before = hypervolume(front)
    grown = [hypervolume(np.vstack([front, one])) - before for one in candidates]
    boxes = nondominated_boxes(front, np.ones(objectives))
    assert expected_hypervolume_improvement(known(candidates), *boxes) == pytest.approx(np.array(grown), abs=1e-12)


def test_boxes_do_not_overlap_where_points_share_a_coordinate() -> None:
    front = np.array([[0.2, 0.5, 0.5], [0.5, 0.2, 0.5], [0.5, 0.5, 0.2], [0.2, 0.6, 0.2], [0.6, 0.2, 0.2]])
    lower, upper = nondominated_boxes(front, np.ones(3))
    free = np.prod(upper - np.maximum(lower, 0), axis=1).sum()
    assert free == pytest.approx(1 - hypervolume(front))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_expected_improvement_is_the_mean_over_samples(objectives: int) -> None:
    random = np.random.default_rng(2)
    front = points(6, objectives)
    boxes = nondominated_boxes(front, np.ones(objectives))
    mean, std = np.log(random.uniform(0.3, 0.8, objectives)), 0.3
    samples = np.exp(mean + std * random.standard_normal((60_000, objectives))) - TRANSFORM.shift
    posteriors = [Posterior(TRANSFORM, np.array([np.nan]), np.array([m]), np.array([std])) for m in mean]
    brute = expected_hypervolume_improvement(known(samples), *boxes).mean()
    assert expected_hypervolume_improvement(posteriors, *boxes)[0] == pytest.approx(brute, rel=0.02)


def test_observed_and_unobserved_objectives_go_together() -> None:
    boxes = nondominated_boxes(np.array([[0.5, 0.5]]), np.ones(2))
    speed = Posterior(TRANSFORM, np.array([0.2, 0.2]), np.zeros(2), np.ones(2))
    accuracy = Posterior(TRANSFORM, np.array([np.nan, 0.4]), np.log([0.5, 0.5]), np.array([1e-6, 1e-6]))
    improvement = expected_hypervolume_improvement([speed, accuracy], *boxes)
    assert improvement[0] == pytest.approx(improvement[1], abs=1e-5)


def test_the_reference_point_may_lie_anywhere() -> None:
    boxes = nondominated_boxes(np.array([[2.0, 8.0]]), np.array([4.0, 10.0]))
    assert expected_hypervolume_improvement(known(np.array([[1.0, 9.0], [3.0, 9.0]])), *boxes).tolist() == [1.0, 0.0]


def test_points_behind_the_reference_point_and_repeated_ones_change_nothing() -> None:
    front = np.array([[0.2, 0.6], [0.5, 0.3]])
    more = np.vstack([front, front, [[0.1, 1.2], [0.6, 0.6]]])
    boxes, boxes_of_more = (nondominated_boxes(some, np.ones(2)) for some in (front, more))
    assert np.array_equal(boxes, boxes_of_more)


@pytest.mark.parametrize(("objectives", "most"), [(1, 1), (2, 13), (3, 25)])
def test_there_are_about_as_many_boxes_as_points(objectives: int, most: int) -> None:
    lower, upper = nondominated_boxes(points(12, objectives), np.ones(objectives))
    assert len(lower) == len(upper) <= most
