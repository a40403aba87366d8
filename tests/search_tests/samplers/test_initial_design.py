"""The design that comes before there is a model."""

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution

from search.samplers.candidate_pool import CandidatePool
from search.samplers.candidate_space import DistributionSpace
from search.samplers.initial_design import next_design_point


def make_pool() -> CandidatePool:
    space = DistributionSpace({"a": CategoricalDistribution(["x", "y"]), "b": IntDistribution(0, 4)})
    return CandidatePool(space, 1, np.random.default_rng(0))


def add_trial(pool: CandidatePool, a: str, b: int) -> int:
    row = int(pool.add([{"a": a, "b": b}])[0])
    pool.is_excluded[row] = True
    return row


def choose(pool: CandidatePool, cheap: bool = False) -> dict[str, object]:
    row = next_design_point(pool, np.array([cheap]), ~pool.is_excluded, np.random.default_rng(1))
    return dict(pool.candidates[row])


def test_the_next_is_unlike_everything_tried() -> None:
    pool = make_pool()
    add_trial(pool, "x", 0)
    assert choose(pool) == {"a": "y", "b": 4}
    add_trial(pool, "y", 4)
    assert choose(pool) in ({"a": "x", "b": 3}, {"a": "y", "b": 1})


def test_the_best_end_of_a_cheap_target_comes_first() -> None:
    pool = make_pool()
    pool.targets[:, 0] = np.arange(10.0)[::-1]
    pool.is_screened[:] = True
    assert choose(pool, cheap=True) == {"a": "y", "b": 4}
    add_trial(pool, "y", 4)
    assert choose(pool, cheap=True) != {"a": "y", "b": 3}


def test_screened_candidates_come_before_others() -> None:
    pool = make_pool()
    row = int(pool.add([{"a": "x", "b": 2}])[0])
    pool.is_screened[row], pool.targets[row] = True, 1.0
    assert choose(pool, cheap=True) == {"a": "x", "b": 2}


def test_a_pool_has_one_index_for_a_candidate_and_takes_in_others() -> None:
    pool = make_pool()
    assert len(pool) == 10
    assert pool.add([{"a": "x", "b": 0}]).tolist() == [0]
    (row,) = pool.add([{"a": "z", "b": 0}]).tolist()
    assert row == 10 == len(pool) - 1
    assert len(pool.features) == len(pool.targets) == len(pool.is_excluded) == len(pool.is_shortlisted) == 11
