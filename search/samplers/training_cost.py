"""What a candidate costs when its dear part is done already: candidates that share a training pay for it once."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spaces.configuration import Scalar

Part = Callable[[Mapping[str, Scalar]], Hashable]


class TrainingCost:
    """Costs of candidates, in units of what one costs whose dear part is done.

    Args:
        part: Names the dear part of a candidate; candidates with the same name share it. None is no dear part.

    Attributes:
        dearness: What the dear part costs in these units; 0 until somebody has measured it.
    """

    def __init__(self, part: Part) -> None:
        self.cost_ratio = 0.0
        self._part = part
        self._numbers: dict[Hashable, int] = {None: 0}
        self._of: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        self._done: NDArray[np.bool_] = np.ones(1, dtype=bool)
        self._busy: set[int] = set()

    def note(self, candidate: Mapping[str, Scalar]) -> None:
        """The dear part of ``candidate`` is done."""
        number = self._number(candidate)
        self._done[number] = True

    def under_way(self, candidates: Iterable[Mapping[str, Scalar]]) -> None:
        """The dear parts of ``candidates``, and no others, are being done: whoever shares them pays nothing now."""
        self._busy = {self._number(candidate) for candidate in candidates}

    def costs(self, candidates: Sequence[Mapping[str, Scalar]]) -> NDArray[np.float64]:
        """What each costs, shape ``(n,)``; earlier calls had the first of these ``candidates``, in the same order."""
        fresh = [self._number(candidate) for candidate in candidates[len(self._of) :]]
        self._of = np.append(self._of, np.array(fresh, dtype=np.intp))
        paid = self._done.copy()
        paid[list(self._busy)] = True
        return np.where(paid[self._of], 1.0, 1.0 + self.cost_ratio)

    def _number(self, candidate: Mapping[str, Scalar]) -> int:
        name = self._part(candidate)
        if name not in self._numbers:
            self._numbers[name] = len(self._numbers)
            self._done = np.append(self._done, False)
        return self._numbers[name]
