"""A Gaussian process over encoded candidates that learns which parameters matter.

The covariance of two candidates is ``exp(-sum_g w_g d_g)``, where ``d_g`` is their squared distance in parameter
``g``: for unordered choices the overlap kernel. Weights, amplitude and noise are those of the largest posterior
density under a log-normal prior.

Compared on NAS-Bench-201 cifar10 (`tests/benchmarks/search_quality.py`), share of the true front's hypervolume after
50, 100 and 200 trainings, median of 10 seeds with the worst in brackets, 200 latencies looked up for each training:

    this, on the shifted logarithm, cheap columns as features   .990 (.985)   .997 (.986)   .998 (.987)
    the same without cheap columns as features                  .993 (.984)   .997 (.988)   .999 (.996)
    20 latencies for each training instead of 200               .986 (.973)   .996 (.976)   .999 (.997)
    no latency looked up                                        .961 (.926)   .975 (.968)   .984 (.973)
    bootstrapped ridge with the gain, 200 latencies             .969          .987          .991

In a sketch with 4 seeds a further linear covariance was no better (.982, .994, .998 with it and .984, .996, .998
without). `shifted_log.SHARE` 0.1, 1 and 5 instead of 0.3 came to .984, .991 and .985 after 50 trainings and to .994,
.995 and .990 after 100; a third of the prior weight or a tenth of the prior noise, and 4 or 10 trials to begin with
instead of 6, made less of a difference than the seeds do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PRIOR_WEIGHT, _PRIOR_NOISE = 0.3, 0.01
_LEVEL_VARIANCE = 1.0
"""Of the unknown mean; the data are standardised before."""
_CHUNK = 4_096
_JITTER = 1e-7


@dataclass(frozen=True)
class GaussianProcess:
    """What was learnt from ``(n, n_coordinates)`` rows and their values.

    Attributes:
        parameters: Logarithms of the weights, the amplitude and the noise, where the next fit may begin.
    """

    parameters: Floats
    _groups: NDArray[np.intp]
    _rows: Floats
    _root: Floats
    _dual: Floats
    _centre: float
    _unit: float

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the noiseless value at each of ``rows``, both of shape ``(n,)``."""
        parts = list(self._predict(rows))
        if not parts:
            return np.zeros(0), np.zeros(0)
        means, variances = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._centre + self._unit * means, self._unit * np.sqrt(np.maximum(variances, 1e-8))

    def _predict(self, rows: Floats) -> Iterator[tuple[Floats, Floats]]:
        from scipy.linalg import solve_triangular

        stretch, amplitude = _stretch(self.parameters, self._groups), np.exp(self.parameters[-2])
        known = self._rows * stretch
        for start in range(0, len(rows), _CHUNK):
            here = rows[start : start + _CHUNK] * stretch
            cross = amplitude * np.exp(-squared_distances(known, here)) + _LEVEL_VARIANCE
            explained = solve_triangular(self._root, cross, lower=True, check_finite=False)
            yield self._dual @ cross, amplitude + _LEVEL_VARIANCE - np.einsum("ij,ij->j", explained, explained)


def fit(
    rows: Floats, groups: NDArray[np.intp], values: Floats, start: Floats | None = None, iterations: int = 40
) -> GaussianProcess:
    """The process that explains ``values`` ``(n,)`` at ``rows`` ``(n, n_coordinates)``.

    Args:
        rows: Coordinates as `Encoding.rows` gives them, perhaps with more beside.
        groups: For each coordinate the number of its parameter; each parameter has one weight.
        values: What was observed, with noise of unknown size.
        start: Parameters of an earlier fit to begin at.
        iterations: Of the search for the parameters; 0 keeps those of ``start``.
    """
    from scipy.linalg import cho_solve

    centre, unit = float(values.mean()), float(values.std()) or 1.0
    standard = (values - centre) / unit
    prior = _prior(int(groups.max()) + 1 if len(groups) else 0)
    parameters = prior if start is None else start
    if iterations:
        parameters = _most_probable(parameters, prior, _by_group(rows, groups), standard, iterations)
    stretched = rows * _stretch(parameters, groups)
    covariance = np.exp(parameters[-2]) * np.exp(-squared_distances(stretched, stretched)) + _LEVEL_VARIANCE
    root = np.linalg.cholesky(covariance + (np.exp(parameters[-1]) + _JITTER) * np.eye(len(values)))
    return GaussianProcess(parameters, groups, rows, root, cho_solve((root, True), standard), centre, unit)


def squared_distances(left: Floats, right: Floats) -> Floats:
    """Between every row of ``left`` and every row of ``right``, shape ``(n_left, n_right)``."""
    cross = -2 * left @ right.T
    cross += np.einsum("ij,ij->i", left, left)[:, None]
    cross += np.einsum("ij,ij->i", right, right)
    return np.maximum(cross, 0.0, out=cross)


def _stretch(parameters: Floats, groups: NDArray[np.intp]) -> Floats:
    stretch: Floats = np.exp(parameters[:-2] / 2)[groups]
    return stretch


def _by_group(rows: Floats, groups: NDArray[np.intp]) -> Floats:
    count = int(groups.max()) + 1 if len(groups) else 0
    return np.array([squared_distances(rows[:, groups == g], rows[:, groups == g]) for g in range(count)])


def _prior(count: int) -> Floats:
    prior: Floats = np.log(np.array([_PRIOR_WEIGHT] * count + [1.0, _PRIOR_NOISE]))
    return prior


def _most_probable(start: Floats, prior: Floats, distances: Floats, values: Floats, iterations: int) -> Floats:
    from scipy.optimize import minimize

    bounds = list(zip(prior - 7, prior + 5, strict=True))
    found = minimize(
        _cost,
        np.clip(start, prior - 7, prior + 5),
        args=(prior, distances, values),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations},
    )
    best: Floats = found.x
    return best


def _cost(parameters: Floats, prior: Floats, distances: Floats, values: Floats) -> tuple[float, Floats]:
    """Negative log density of the parameters, up to a constant, and its gradient."""
    from scipy.linalg import lapack

    weights, amplitude, noise = np.exp(parameters[:-2]), np.exp(parameters[-2]), np.exp(parameters[-1])
    alike = amplitude * np.exp(-np.tensordot(weights, distances, 1)) if len(weights) else amplitude * np.ones((1, 1))
    covariance = alike + _LEVEL_VARIANCE + (noise + _JITTER) * np.eye(len(values))
    root = np.linalg.cholesky(covariance)
    inverse, _ = lapack.dpotri(root, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    dual = inverse @ values
    slope = (inverse - np.outer(dual, dual)) / 2
    pull = slope * alike
    gradient = np.append(-np.tensordot(distances, pull, 2) * weights, [pull.sum(), np.trace(slope) * noise])
    away = parameters - prior
    return float(values @ dual / 2 + np.log(np.diag(root)).sum() + away @ away / 2), gradient + away
