"""The cost model of candidates: those that share a training pay for it once."""

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from search.objectives.arrays import Floats
from search.samplers.candidate_space import Candidate


class TrainingCost:
    """Costs of candidates, relative to the cost of one that needs no training.

    Args:
        training_key: Names the training that a candidate needs, equal for candidates that share one; None where it
            needs none.

    Attributes:
        cost_ratio: What a training costs, relative to the rest of a trial; 0 until it is set.
    """

    def __init__(self, training_key: Callable[[Candidate], Hashable]) -> None:
        self.cost_ratio = 0.0
        self._training_key = training_key
        self._numbers: dict[Hashable, int] = {None: 0}
        self._number_of_candidate: list[int] = []
        self._trained = {0}
        self._in_training: set[int] = set()

    def mark_trained(self, candidate: Candidate) -> None:
        """Count the training of ``candidate`` as done: it costs nothing for candidates that share it."""
        self._trained.add(self._number(candidate))

    def set_in_training(self, candidates: Iterable[Candidate]) -> None:
        """Count the trainings of ``candidates``, and no others, as under way: sharing one costs nothing."""
        self._in_training = {self._number(candidate) for candidate in candidates}

    def needs_training(self, candidate: Candidate) -> bool:
        """Whether ``candidate`` needs a training that is neither done nor under way."""
        return self._number(candidate) not in self._trained | self._in_training

    def costs(self, candidates: Sequence[Candidate]) -> Floats:
        """The cost of each of ``candidates``, shape ``(n,)``: 1, or 1 + `cost_ratio` where it needs a training.

        Args:
            candidates: Those of earlier calls in the same order, perhaps followed by more.
        """
        for candidate in candidates[len(self._number_of_candidate) :]:
            self._number_of_candidate.append(self._number(candidate))
        costs = np.full(len(self._numbers), 1.0 + self.cost_ratio)
        costs[list(self._trained | self._in_training)] = 1.0
        return costs[self._number_of_candidate]

    def _number(self, candidate: Candidate) -> int:
        return self._numbers.setdefault(self._training_key(candidate), len(self._numbers))
