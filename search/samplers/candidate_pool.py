"""What is known of each candidate: where it lies, which trial has it, what was measured."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.samplers.candidate_space import Candidates, key_of, neighbours
from search.samplers.encoding import Encoding, Floats
from spaces.configuration import Scalar

Rows = NDArray[np.intp]

ENUMERATED = 20_000
"""A space of so many candidates is listed; of a larger one this many are kept in view."""


class CandidatePool:
    """Candidates as rows of arrays; a row never changes its number.

    Attributes:
        features: The candidates.
        rows: Their coordinates, ``(n, n_coordinates)``.
        values: Their columns, ``(n, n_columns)``, NaN where unknown.
        taken: Whether a trial has them, ``(n,)``.
        pending: Whether that trial is under way, ``(n,)``.
        done: Whether that trial is complete, ``(n,)``.
        screened: Whether they were looked up, ``(n,)``.
        listed: Whether they were looked up or listed for it, ``(n,)``.
    """

    def __init__(self, candidates: Candidates, columns: int, random: np.random.Generator) -> None:
        self._candidates = candidates
        self._random = random
        self.encoding = Encoding(candidates.scales)
        self.features: list[Mapping[str, Scalar]] = []
        self._numbers: dict[Hashable, int] = {}
        self.rows: Floats = self.encoding.rows([])
        self.values: Floats = np.zeros((0, columns))
        self.taken = self.pending = self.done = self.screened = self.listed = np.zeros(0, dtype=bool)
        self.add(candidates.every(ENUMERATED))
        self.complete = len(self.features) > 0
        """Whether the whole space is in view."""
        self.widen(())

    def __len__(self) -> int:
        return len(self.features)

    def add(self, found: Sequence[Mapping[str, Scalar]]) -> Rows:
        """The rows of these candidates, new ones at the end."""
        before = len(self.features)
        numbers = [self._number(candidate) for candidate in found]
        fresh = len(self.features) - before
        if fresh:
            self.rows = np.vstack([self.rows, self.encoding.rows(self.features[before:])])
            self.values = np.vstack([self.values, np.full((fresh, self.values.shape[1]), np.nan)])
            for flags in ("taken", "pending", "done", "screened", "listed"):
                setattr(self, flags, np.append(getattr(self, flags), np.zeros(fresh, dtype=bool)))
        return np.array(numbers, dtype=np.intp)

    def widen(self, around: Sequence[int]) -> None:
        """Take more of a large space into view: what is next to the rows ``around``, and others at random."""
        if self.complete or len(self.features) > 2 * ENUMERATED:
            return
        found = [near for row in around for near in neighbours(self._candidates, self.features[row], self._random)]
        missing = max(0, ENUMERATED // 2 - len(self.features))
        self.add([*found, *(self._candidates.draw({}, self._random) for _ in range(missing))])

    def learn(self, row: int, vector: Floats) -> None:
        """Keep what is finite in ``vector`` ``(n_columns,)``."""
        finite = np.isfinite(vector)
        self.values[row, finite] = vector[finite]

    def _number(self, candidate: Mapping[str, Scalar]) -> int:
        key = key_of(candidate)
        if key not in self._numbers:
            self._numbers[key] = len(self.features)
            self.features.append(candidate)
        return self._numbers[key]
