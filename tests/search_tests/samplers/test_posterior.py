"""What is believed of candidates, and when it is learnt anew."""

import numpy as np
import pytest
from optuna.distributions import IntDistribution

from search.samplers.candidate_pool import CandidatePool, Rows
from search.samplers.candidate_space import DistributionCandidates
from search.samplers.posterior import Posteriors

EVERY = np.arange(36)


def make(known: Rows) -> tuple[CandidatePool, Posteriors]:
    """36 candidates with a slow slope in one column, of which some are known from complete trials."""
    candidates = DistributionCandidates({"a": IntDistribution(0, 5), "b": IntDistribution(0, 5)})
    pool = CandidatePool(candidates, 1, np.random.default_rng(0))
    pool.values[known, 0] = np.array([2.0 + one["a"] + 0.1 * one["b"] for one in pool.features])[known]  # type: ignore[operator]
    pool.taken[known] = pool.done[known] = True
    posteriors = Posteriors(pool, 1, np.random.default_rng(0))
    posteriors.make_room()
    return pool, posteriors


def refresh(posteriors: Posteriors) -> Rows:
    return posteriors.refresh(np.array([[2.0]]), lambda: EVERY)


def test_too_little_is_not_learnt_from() -> None:
    _, posteriors = make(np.array([0, 20]))
    assert len(refresh(posteriors)) == 0
    assert not posteriors.ready()


def test_nothing_is_learnt_twice() -> None:
    _, posteriors = make(np.array([0, 5, 20, 30]))
    assert len(refresh(posteriors)) == 36
    assert len(refresh(posteriors)) == 0


def test_a_trial_under_way_makes_its_surroundings_surer_and_leaves_what_is_expected() -> None:
    pool, posteriors = make(np.array([0, 5, 20, 30]))
    refresh(posteriors)
    means, sds = posteriors.means.copy(), posteriors.sds.copy()
    pool.taken[14] = pool.pending[14] = True
    refresh(posteriors)
    assert posteriors.sds[0, 14] < 0.5 * sds[0, 14]
    assert posteriors.sds[0, 15] < sds[0, 15]
    assert np.abs(posteriors.means - means)[0, 14] < 0.2 * sds[0, 14]


def test_what_is_known_is_believed() -> None:
    pool, posteriors = make(EVERY)
    refresh(posteriors)
    assert posteriors.of(0, EVERY).expected().tolist() == pool.values[:, 0].tolist()


def test_of_much_the_rows_nearest_to_the_front_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.samplers.posterior.LEARNT_FROM", 9)
    pool, posteriors = make(EVERY)
    chosen = posteriors._nearest(EVERY, np.array([[2.0]]))
    assert len(set(chosen.tolist())) == 9
    assert set(np.argsort(pool.values[:, 0])[:6].tolist()) <= set(chosen.tolist())
