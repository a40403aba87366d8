"""The Gaussian process on functions that are known."""

import numpy as np
import pytest

from search.samplers import gaussian_process as surrogate
from search.samplers.encoding import Encoding, Floats, Scale
from search.samplers.gaussian_process import fit, squared_distances

ENCODING = Encoding({name: Scale(("a", "b", "c")) for name in "wxyz"})


def candidates(count: int, seed: int = 0) -> list[dict[str, str]]:
    random = np.random.default_rng(seed)
    return [{name: str(random.choice(["a", "b", "c"])) for name in "wxyz"} for _ in range(count)]


def value(candidate: dict[str, str]) -> float:
    """Two parameters that matter together, and two that do not."""
    return float("abc".index(candidate["w"]) * (1 + "abc".index(candidate["x"])))


def learnt(count: int = 40, noise: float = 0.0) -> tuple[surrogate.GaussianProcess, Floats]:
    seen = candidates(count)
    values = np.array([value(one) for one in seen]) + noise * np.random.default_rng(1).standard_normal(count)
    return fit(ENCODING.rows(seen), ENCODING.groups, values), values


def test_it_learns_an_interaction_from_some_of_its_values() -> None:
    model, values = learnt()
    others = candidates(200, seed=5)
    mean, _ = model.predict(ENCODING.rows(others))
    assert np.corrcoef(mean, [value(one) for one in others])[0, 1] > 0.97
    assert values.std() > 0


def test_parameters_that_matter_get_the_larger_weights() -> None:
    w, x, y, z = learnt()[0].parameters[:4]
    assert min(w, x) > max(y, z) + 1


def test_it_is_surer_where_it_has_looked() -> None:
    model, _ = learnt(8)
    _, seen = model.predict(ENCODING.rows(candidates(8)))
    _, all_of_them = model.predict(ENCODING.rows(candidates(300, seed=3)))
    assert seen.max() < all_of_them.mean()


def test_noise_is_told_from_effects() -> None:
    quiet, noisy = learnt(60)[0], learnt(60, noise=1.0)[0]
    assert noisy.parameters[-1] > quiet.parameters[-1] + 1


def test_going_on_from_an_earlier_fit_without_tuning_keeps_its_parameters() -> None:
    model, _ = learnt()
    more = candidates(60)
    values = np.array([value(one) for one in more])
    again = fit(ENCODING.rows(more), ENCODING.groups, values, model.parameters, iterations=0)
    assert again.parameters.tolist() == model.parameters.tolist()


def test_constant_values_are_expected_everywhere() -> None:
    rows = ENCODING.rows(candidates(5))
    mean, sd = fit(rows, ENCODING.groups, np.full(5, 2.0)).predict(rows)
    assert mean == pytest.approx(np.full(5, 2.0))
    assert np.isfinite(sd).all()


def test_no_rows_give_no_predictions() -> None:
    mean, sd = learnt()[0].predict(ENCODING.rows([]))
    assert len(mean) == len(sd) == 0


def test_the_slope_of_the_cost_is_that_of_finite_differences() -> None:
    seen = candidates(15)
    rows, values = ENCODING.rows(seen), np.array([value(one) for one in seen])
    distances = surrogate._by_group(rows, ENCODING.groups)
    prior = surrogate._prior(4)
    at = prior + 0.1 * np.arange(6)
    _, slope = surrogate._cost(at, prior, distances, values)
    step = 1e-5
    for position, one in enumerate(np.eye(6) * step):
        up, down = (surrogate._cost(at + side * one, prior, distances, values)[0] for side in (1, -1))
        assert slope[position] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)


def test_squared_distances_are_those_of_the_differences() -> None:
    random = np.random.default_rng(0)
    left, right = random.random((4, 3)), random.random((5, 3))
    assert squared_distances(left, right) == pytest.approx(((left[:, None] - right) ** 2).sum(axis=2))
