"""The initial design: the candidates that are tried before there is a model."""

import numpy as np

from search.objectives.arrays import Floats, Indices, Mask
from search.samplers.candidate_pool import CandidatePool
from search.samplers.encoding import normalised_ranks

_MAX_COMPARED = 5_000
"""Candidates compared for one choice, at random where there are more."""

_BEST_SHARE = 0.02
"""Share of the smallest ranks of a cheap target that counts as its best end."""


def next_design_point(pool: CandidatePool, is_cheap: Mask, is_free: Mask, rng: np.random.Generator) -> int:
    """The index of the candidate that extends the initial design.

    While no candidate with a trial is among the best in some cheap target, it is the best one in that target. Then it
    is the candidate with the largest distance to the nearest one that has a trial, a greedy maximin design (Johnson,
    Moore and Ylvisaker, 1990, Minimax and maximin distance designs). Distances are those of the encodings and of the
    ranks of the cheap targets.

    Args:
        pool: The candidates and what is known of them.
        is_cheap: Which targets can be observed without a trial, ``(n_targets,)``.
        is_free: Which candidates may be chosen, ``(n,)``, at least one; those with observed cheap targets come first.
        rng: Settles ties.
    """
    screened = np.flatnonzero(is_free & pool.is_screened)
    free = screened if len(screened) else np.flatnonzero(is_free)
    compared = rng.permutation(free)[:_MAX_COMPARED]
    tried = np.flatnonzero(pool.is_excluded)
    cheap: list[int] = np.flatnonzero(is_cheap & np.isfinite(pool.targets[compared]).all(axis=0)).tolist()
    for target in cheap:
        if _ranks(pool, tried, target).min(initial=1.0) > _BEST_SHARE:
            return int(compared[np.argmin(pool.targets[compared, target])])
    return int(compared[np.argmax(_distance_to_nearest(pool, compared, tried, cheap))])


def _distance_to_nearest(pool: CandidatePool, compared: Indices, tried: Indices, cheap: list[int]) -> Floats:
    """For each candidate ``compared``, the distance to the nearest one of those ``tried``."""
    n_parameters = max(1, pool.encoding.n_parameters)
    ranks = np.array([_ranks(pool, compared, target) for target in cheap])
    nearest = np.full(len(compared), np.inf)
    for index in tried:
        distances = ((pool.features[compared] - pool.features[index]) ** 2).sum(axis=1) / n_parameters
        for target, ranks_here in zip(cheap, ranks, strict=True):
            distances += np.abs(ranks_here - _ranks(pool, np.array([index]), target))
        nearest = np.minimum(nearest, distances)
    return nearest


def _ranks(pool: CandidatePool, indices: Indices, target: int) -> Floats:
    """The ranks of candidates in a target among all observed values; 0.5 where the value is unknown."""
    values = pool.targets[:, target]
    return np.nan_to_num(normalised_ranks(values[indices], values), nan=0.5)
