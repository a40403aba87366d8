"""What is tried before there is a model."""

import numpy as np
from optuna.distributions import CategoricalDistribution, IntDistribution

from search.samplers.candidate_pool import CandidatePool
from search.samplers.candidate_space import DistributionCandidates
from search.samplers.initial_design import farthest

NOTHING_CHEAP = np.array([False])


def make_pool() -> CandidatePool:
    candidates = DistributionCandidates({"a": CategoricalDistribution(["x", "y"]), "b": IntDistribution(0, 4)})
    return CandidatePool(candidates, 1, np.random.default_rng(0))


def take(pool: CandidatePool, a: str, b: int) -> int:
    row = int(pool.add([{"a": a, "b": b}])[0])
    pool.taken[row] = True
    return row


def choose(pool: CandidatePool, cheap: bool = False) -> dict[str, object]:
    row = farthest(pool, np.array([cheap]), ~pool.taken, np.random.default_rng(1))
    return dict(pool.features[row])


def test_the_next_is_unlike_everything_tried() -> None:
    pool = make_pool()
    take(pool, "x", 0)
    assert choose(pool) == {"a": "y", "b": 4}
    take(pool, "y", 4)
    assert choose(pool) in ({"a": "x", "b": 3}, {"a": "y", "b": 1})


def test_the_end_of_a_cheap_column_comes_first() -> None:
    pool = make_pool()
    pool.values[:, 0] = np.arange(10.0)[::-1]
    pool.screened[:] = True
    assert choose(pool, cheap=True) == {"a": "y", "b": 4}
    take(pool, "y", 4)
    assert choose(pool, cheap=True) != {"a": "y", "b": 3}


def test_what_was_looked_up_goes_before_what_was_not() -> None:
    pool = make_pool()
    row = int(pool.add([{"a": "x", "b": 2}])[0])
    pool.screened[row], pool.values[row] = True, 1.0
    assert choose(pool, cheap=True) == {"a": "x", "b": 2}


def test_a_pool_keeps_one_row_for_a_candidate_and_takes_in_others() -> None:
    pool = make_pool()
    assert len(pool) == 10
    assert pool.add([{"a": "x", "b": 0}]).tolist() == [0]
    (row,) = pool.add([{"a": "z", "b": 0}]).tolist()
    assert row == 10 == len(pool) - 1
    assert len(pool.rows) == len(pool.values) == len(pool.taken) == len(pool.listed) == 11
