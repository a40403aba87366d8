"""TargetModels of the targets in a pool, and when their models are refitted."""

import numpy as np
import pytest
from optuna.distributions import IntDistribution

from search.objectives.arrays import Indices
from search.samplers.candidate_pool import CandidatePool
from search.samplers.candidate_space import DistributionSpace
from search.samplers.target_models import TargetModels

EVERY = np.arange(36)


def make(known: Indices) -> tuple[CandidatePool, TargetModels]:
    """36 candidates with one target that changes slowly, observed of some of them in complete trials."""
    space = DistributionSpace({"a": IntDistribution(0, 5), "b": IntDistribution(0, 5)})
    pool = CandidatePool(space, 1, np.random.default_rng(0))
    pool.targets[known, 0] = np.array([2.0 + one["a"] + 0.1 * one["b"] for one in pool.candidates])[known]  # type: ignore[operator]
    pool.is_excluded[known] = pool.is_complete[known] = True
    models = TargetModels(pool, 1, np.random.default_rng(0))
    models.extend()
    return pool, models


def update(models: TargetModels) -> Indices:
    return models.update(np.array([[2.0]]), EVERY)


def test_too_few_observations_are_not_modelled() -> None:
    _, models = make(np.array([0, 20]))
    assert len(update(models)) == 0
    assert not models.are_ready()


def test_a_model_is_not_refitted_without_new_observations() -> None:
    _, models = make(np.array([0, 5, 20, 30]))
    assert len(update(models)) == 36
    assert len(update(models)) == 0


def test_a_pending_trial_lowers_the_uncertainty_around_it_and_leaves_the_means() -> None:
    pool, models = make(np.array([0, 5, 20, 30]))
    update(models)
    means, stds = models.means.copy(), models.stds.copy()
    pool.is_excluded[14] = pool.is_pending[14] = True
    update(models)
    assert models.stds[0, 14] < 0.5 * stds[0, 14]
    assert models.stds[0, 15] < stds[0, 15]
    assert np.abs(models.means - means)[0, 14] < 0.2 * stds[0, 14]


def test_observed_values_are_the_medians() -> None:
    pool, models = make(EVERY)
    update(models)
    assert models.posterior(0, EVERY).median().tolist() == pool.targets[:, 0].tolist()


def test_of_many_observations_those_nearest_to_the_front_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.samplers.target_models.MAX_TRAINING_POINTS", 9)
    pool, models = make(EVERY)
    chosen = models._training_points(EVERY, np.array([[2.0]]))
    assert len(set(chosen.tolist())) == 9
    assert set(np.argsort(pool.targets[:, 0])[:6].tolist()) <= set(chosen.tolist())
