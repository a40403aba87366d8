"""The pool of candidates that a sampler chooses from, with what is known of each."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from search.objectives.arrays import Floats, Indices, Mask
from search.samplers.candidate_space import Candidate, CandidateSpace, candidate_key, neighbours
from search.samplers.encoding import Encoding

MAX_ENUMERATED = 20_000
"""A space of so many candidates is in the pool as a whole; of a larger one, about this many candidates are."""


class CandidatePool:
    """Candidates and what is known of them, as arrays; a candidate keeps its index.

    Args:
        space: The space of the candidates.
        n_targets: Number of targets.
        rng: Draws the candidates of a space that is too large for the pool.

    Attributes:
        candidates: The candidates, ``n`` of them.
        features: Their encoding, ``(n, n_features)``.
        targets: Their observed targets to minimise, ``(n, n_targets)``, NaN where unknown.
        is_excluded: Whether a candidate must not be proposed: it has a trial or was left out, ``(n,)``.
        is_pending: Whether a candidate has an unfinished trial, ``(n,)``.
        is_complete: Whether a candidate has a complete trial, ``(n,)``.
        is_screened: Whether cheap targets of a candidate were observed without a trial, ``(n,)``.
        is_shortlisted: Whether they were, or a shortlist asked for it, ``(n,)``.
    """

    def __init__(self, space: CandidateSpace, n_targets: int, rng: np.random.Generator) -> None:
        self._space = space
        self._rng = rng
        self.encoding = Encoding(space.parameter_values)
        self.candidates: list[Candidate] = []
        self._index_of: dict[Hashable, int] = {}
        self.features: Floats = self.encoding.encode([])
        self.targets: Floats = np.zeros((0, n_targets))
        self.is_excluded: Mask = np.zeros(0, dtype=bool)
        self.is_pending: Mask = np.zeros(0, dtype=bool)
        self.is_complete: Mask = np.zeros(0, dtype=bool)
        self.is_screened: Mask = np.zeros(0, dtype=bool)
        self.is_shortlisted: Mask = np.zeros(0, dtype=bool)
        self.add(space.enumerate(MAX_ENUMERATED))
        self._holds_the_whole_space = len(self.candidates) > 0
        self.expand(())

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def is_observed(self) -> Mask:
        """Whether all targets of a candidate are known from a complete trial, ``(n,)``."""
        is_known: Mask = np.all(np.isfinite(self.targets), axis=1)
        return is_known & self.is_complete

    def add(self, candidates: Sequence[Candidate]) -> Indices:
        """The indices of ``candidates``; those that are not in the pool yet are added at its end."""
        before = len(self)
        indices = [self._index(candidate) for candidate in candidates]
        n_new = len(self) - before
        if n_new:
            self.features = np.vstack([self.features, self.encoding.encode(self.candidates[before:])])
            self.targets = np.vstack([self.targets, np.full((n_new, self.targets.shape[1]), np.nan)])
            self.is_excluded = np.pad(self.is_excluded, (0, n_new))
            self.is_pending = np.pad(self.is_pending, (0, n_new))
            self.is_complete = np.pad(self.is_complete, (0, n_new))
            self.is_screened = np.pad(self.is_screened, (0, n_new))
            self.is_shortlisted = np.pad(self.is_shortlisted, (0, n_new))
        return np.array(indices, dtype=np.intp)

    def expand(self, around: Iterable[int]) -> None:
        """Add candidates of a space that is too large: neighbours of those with the indices ``around``, and others.

        A pool that holds the whole space, or is twice as large as it needs to be, stays as it is.
        """
        if self._holds_the_whole_space or len(self) > 2 * MAX_ENUMERATED:
            return
        found: list[Candidate] = []
        for index in around:
            found.extend(neighbours(self._space, self.candidates[index], self._rng))
        for _ in range(MAX_ENUMERATED // 2 - len(self)):
            found.append(self._space.sample({}, self._rng))
        self.add(found)

    def observe(self, index: int, targets: Floats) -> None:
        """Keep the finite ones among ``targets`` ``(n_targets,)`` of one candidate."""
        is_known = np.isfinite(targets)
        self.targets[index, is_known] = targets[is_known]

    def _index(self, candidate: Candidate) -> int:
        key = candidate_key(candidate)
        if key not in self._index_of:
            self._index_of[key] = len(self.candidates)
            self.candidates.append(candidate)
        return self._index_of[key]
