"""The Gaussian process on functions that are known."""

import numpy as np
import pytest

from search.objectives.arrays import Floats
from search.samplers import gaussian_process
from search.samplers.encoding import Encoding
from search.samplers.gaussian_process import fit, squared_distances

ENCODING = Encoding(dict.fromkeys("wxyz", ("a", "b", "c")))


def candidates(count: int, seed: int = 0) -> list[dict[str, str]]:
    random = np.random.default_rng(seed)
    return [{name: str(random.choice(["a", "b", "c"])) for name in "wxyz"} for _ in range(count)]


def value(candidate: dict[str, str]) -> float:
    """Two parameters that matter together, and two that do not."""
    return float("abc".index(candidate["w"]) * (1 + "abc".index(candidate["x"])))


def fitted(count: int = 40, noise: float = 0.0) -> tuple[gaussian_process.GaussianProcess, Floats]:
    seen = candidates(count)
    values = np.array([value(one) for one in seen]) + noise * np.random.default_rng(1).standard_normal(count)
    return fit(ENCODING.encode(seen), ENCODING.groups, values), values


def test_it_predicts_an_interaction_from_some_of_its_values() -> None:
    model, values = fitted()
    others = candidates(200, seed=5)
    mean, _ = model.predict(ENCODING.encode(others))
    assert np.corrcoef(mean, [value(one) for one in others])[0, 1] > 0.97
    assert values.std() > 0


def test_parameters_that_matter_get_the_larger_weights() -> None:
    w, x, y, z = fitted()[0].log_hyperparameters[:4]
    assert min(w, x) > max(y, z) + 1


def test_it_is_less_uncertain_at_its_observations() -> None:
    model, _ = fitted(8)
    _, seen = model.predict(ENCODING.encode(candidates(8)))
    _, all_of_them = model.predict(ENCODING.encode(candidates(300, seed=3)))
    assert seen.max() < all_of_them.mean()


def test_noise_raises_the_noise_variance() -> None:
    quiet, noisy = fitted(60)[0], fitted(60, noise=1.0)[0]
    assert noisy.log_hyperparameters[-1] > quiet.log_hyperparameters[-1] + 1


def test_without_iterations_the_hyperparameters_are_kept() -> None:
    model, _ = fitted()
    more = candidates(60)
    values = np.array([value(one) for one in more])
    again = fit(ENCODING.encode(more), ENCODING.groups, values, model.log_hyperparameters, max_iterations=0)
    assert again.log_hyperparameters.tolist() == model.log_hyperparameters.tolist()


def test_constant_observations_are_predicted_everywhere() -> None:
    rows = ENCODING.encode(candidates(5))
    mean, sd = fit(rows, ENCODING.groups, np.full(5, 2.0)).predict(rows)
    assert mean == pytest.approx(np.full(5, 2.0))
    assert np.isfinite(sd).all()


def test_no_inputs_give_no_predictions() -> None:
    mean, sd = fitted()[0].predict(ENCODING.encode([]))
    assert len(mean) == len(sd) == 0


def test_the_gradient_of_the_log_posterior_is_that_of_finite_differences() -> None:
    seen = candidates(15)
    rows, values = ENCODING.encode(seen), np.array([value(one) for one in seen])
    distances = gaussian_process._distances_by_group(rows, ENCODING.groups)
    prior = gaussian_process._log_prior_medians(4)
    at = prior + 0.1 * np.arange(6)
    _, gradient = gaussian_process._negative_log_posterior(at, prior, distances, values)
    step = 1e-5
    for position, one in enumerate(np.eye(6) * step):
        up, _ = gaussian_process._negative_log_posterior(at + one, prior, distances, values)
        down, _ = gaussian_process._negative_log_posterior(at - one, prior, distances, values)
        assert gradient[position] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)


def test_squared_distances_are_those_of_the_differences() -> None:
    random = np.random.default_rng(0)
    left, right = random.random((4, 3)), random.random((5, 3))
    assert squared_distances(left, right) == pytest.approx(((left[:, None] - right) ** 2).sum(axis=2))


def test_a_few_observations_say_something_of_candidates_that_differ_from_them_in_many_parameters() -> None:
    random = np.random.default_rng(0)
    encoding = Encoding({f"p{index}": (False, True) for index in range(50)})
    drawn = [{f"p{index}": bool(random.integers(2)) for index in range(50)} for _ in range(330)]
    values = np.array([sum(one[f"p{index}"] for index in range(25)) for one in drawn], dtype=float)
    features = encoding.encode(drawn)
    mean, _ = fit(features[:30], encoding.groups, values[:30]).predict(features[30:])
    assert np.corrcoef(mean, values[30:])[0, 1] > 0.4
    assert mean.std() > 0.2 * values.std()
