"""A Gaussian process over encoded candidates with one kernel weight for each parameter.

The covariance of two candidates is ``signal_variance * exp(-sum_p weight_p d_p)``, where ``d_p`` is the squared
distance of their encodings in parameter ``p``. For numeric parameters that is the squared exponential kernel, for
categorical ones the weighted Hamming distance kernel of Hutter, Hoos and Leyton-Brown (2011, Sequential model-based
optimization for general algorithm configuration). The prior mean is a constant with a Gaussian prior. The
hyperparameters are a maximum a posteriori (MAP) estimate under log-normal priors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from search.objectives.arrays import Floats, Indices

_PRIOR_WEIGHT, _PRIOR_SIGNAL_VARIANCE, _PRIOR_NOISE_VARIANCE = 0.3, 1.0, 0.01
"""Medians of the log-normal priors, whose logarithms have a standard deviation of 1."""

_MOST_PRIOR_WEIGHT = 2.0
"""Most that the prior weights of all parameters come to together. Else all candidates of a space of many parameters
would be far apart, and an observation would say nothing of the others (Hvarfner, Hellsten and Nardi, 2024, Vanilla
Bayesian optimization performs great in high dimensions, arXiv 2402.02229)."""

_LOWER_BOUND, _UPPER_BOUND = -7.0, 5.0
"""Bounds of the logarithms of the hyperparameters, relative to the medians of the priors."""

_MEAN_VARIANCE = 1.0
"""Prior variance of the constant mean; the observations are standardised."""

_CHUNK = 4_096
"""Candidates predicted at once, which bounds the memory."""

_JITTER = 1e-7


@dataclass(frozen=True)
class GaussianProcess:
    """A Gaussian process conditioned on observations; `fit` makes one.

    Attributes:
        log_hyperparameters: Logarithms of the weights, the signal variance and the noise variance, all of standardised
            observations, ``(n_parameters + 2,)``.
        groups: For each feature the index of its parameter, ``(n_features,)``.
        inputs: The features of the observations, ``(n, n_features)``.
        cholesky: Lower Cholesky factor of their covariance, noise included, ``(n, n)``.
        alpha: The inverse of the covariance times the standardised observations, ``(n,)``.
        centre: Mean of the observations.
        scale: Standard deviation of the observations.
    """

    log_hyperparameters: Floats
    groups: Indices
    inputs: Floats
    cholesky: Floats
    alpha: Floats
    centre: float
    scale: float

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Posterior means and standard deviations of the noiseless values, each ``(n,)``.

        Args:
            inputs: Features ``(n, n_features)``.
        """
        chunks = list(self._predict_chunks(inputs))
        if not chunks:
            return np.zeros(0), np.zeros(0)
        means, variances = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        return self.centre + self.scale * means, self.scale * np.sqrt(np.maximum(variances, 1e-8))

    def _predict_chunks(self, inputs: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Means and variances of standardised values."""
        from scipy.linalg import solve_triangular

        feature_scales = _feature_scales(self.log_hyperparameters, self.groups)
        signal_variance = np.exp(self.log_hyperparameters[-2])
        observed = self.inputs * feature_scales
        for start in range(0, len(inputs), _CHUNK):
            chunk = inputs[start : start + _CHUNK] * feature_scales
            cross = signal_variance * np.exp(-squared_distances(observed, chunk)) + _MEAN_VARIANCE
            explained = solve_triangular(self.cholesky, cross, lower=True, check_finite=False)
            variance = signal_variance + _MEAN_VARIANCE - np.einsum("ij,ij->j", explained, explained)
            yield self.alpha @ cross, variance


def fit(
    inputs: Floats,
    groups: Indices,
    observations: Floats,
    log_hyperparameters: Floats | None = None,
    max_iterations: int = 40,
) -> GaussianProcess:
    """The Gaussian process conditioned on ``observations`` ``(n,)`` at ``inputs`` ``(n, n_features)``.

    Args:
        inputs: Features as `Encoding.encode` gives them, perhaps followed by more.
        groups: For each feature the index of its parameter; each parameter has one weight.
        observations: Observed values, with noise of unknown variance.
        log_hyperparameters: Where the optimisation of the hyperparameters begins; by default at the prior.
        max_iterations: Of that optimisation; 0 takes ``log_hyperparameters`` as they are.
    """
    from scipy.linalg import cho_solve

    centre, scale = float(observations.mean()), float(observations.std()) or 1.0
    standardised = (observations - centre) / scale
    prior = _log_prior_medians(_count(groups))
    start = prior if log_hyperparameters is None else log_hyperparameters
    if max_iterations:
        start = _map_estimate(start, prior, _distances_by_group(inputs, groups), standardised, max_iterations)
    scaled = inputs * _feature_scales(start, groups)
    covariance = np.exp(start[-2]) * np.exp(-squared_distances(scaled, scaled)) + _MEAN_VARIANCE
    noise = (np.exp(start[-1]) + _JITTER) * np.eye(len(observations))
    cholesky = np.linalg.cholesky(covariance + noise)
    alpha = cho_solve((cholesky, True), standardised)
    return GaussianProcess(start, groups, inputs, cholesky, alpha, centre, scale)


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Between every row of ``left`` and every row of ``right``, shape ``(n_left, n_right)``."""
    distances = -2 * left @ right.T
    distances += np.einsum("ij,ij->i", left, left)[:, None]
    distances += np.einsum("ij,ij->i", right, right)
    return np.maximum(distances, 0.0, out=distances)


def _count(groups: Indices) -> int:
    return int(groups.max()) + 1 if len(groups) else 0


def _feature_scales(log_hyperparameters: Floats, groups: Indices) -> Floats:
    """Factors for the features after which squared distances are weighted ones, ``(n_features,)``."""
    scales: Floats = np.exp(log_hyperparameters[:-2] / 2)[groups]
    return scales


def _distances_by_group(inputs: Floats, groups: Indices) -> Floats:
    """Squared distances in each parameter, ``(n_parameters, n, n)``."""
    columns = [inputs[:, groups == group] for group in range(_count(groups))]
    return np.array([squared_distances(column, column) for column in columns])


def _log_prior_medians(n_parameters: int) -> Floats:
    weight = min(_PRIOR_WEIGHT, _MOST_PRIOR_WEIGHT / max(n_parameters, 1))
    medians = [weight] * n_parameters + [_PRIOR_SIGNAL_VARIANCE, _PRIOR_NOISE_VARIANCE]
    logarithms: Floats = np.log(np.array(medians))
    return logarithms


def _map_estimate(start: Floats, prior: Floats, distances: Floats, values: Floats, max_iterations: int) -> Floats:
    """The logarithms of the hyperparameters with the largest posterior density."""
    from scipy.optimize import minimize

    lower, upper = prior + _LOWER_BOUND, prior + _UPPER_BOUND
    found = minimize(
        _negative_log_posterior,
        np.clip(start, lower, upper),
        args=(prior, distances, values),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(lower, upper, strict=True)),
        options={"maxiter": max_iterations},
    )
    estimate: Floats = found.x
    return estimate


def _negative_log_posterior(
    log_hyperparameters: Floats, prior: Floats, distances: Floats, values: Floats
) -> tuple[float, Floats]:
    """Negative log posterior density of the hyperparameters up to a constant, and its gradient.

    It is the negative log marginal likelihood of ``values`` (Rasmussen and Williams, 2006, Gaussian processes for
    machine learning, 5.4.1) less the log density of the prior.
    """
    from scipy.linalg import lapack

    weights = np.exp(log_hyperparameters[:-2])
    signal_variance, noise_variance = np.exp(log_hyperparameters[-2:])
    if len(weights):
        kernel = signal_variance * np.exp(-np.tensordot(weights, distances, 1))
    else:
        kernel = signal_variance * np.ones((1, 1))
    covariance = kernel + _MEAN_VARIANCE + (noise_variance + _JITTER) * np.eye(len(values))
    cholesky = np.linalg.cholesky(covariance)
    inverse, _ = lapack.dpotri(cholesky, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    alpha = inverse @ values
    # Derivative by each entry of the covariance.
    slope = (inverse - np.outer(alpha, alpha)) / 2
    kernel_slope = slope * kernel
    by_weight = -np.tensordot(distances, kernel_slope, 2) * weights
    gradient = np.append(by_weight, [kernel_slope.sum(), np.trace(slope) * noise_variance])
    deviation = log_hyperparameters - prior
    negative_log_likelihood = values @ alpha / 2 + np.log(np.diag(cholesky)).sum()
    return float(negative_log_likelihood + deviation @ deviation / 2), gradient + deviation
