"""The cost model of candidates: those that share a training pay for it once."""

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from search.objectives.arrays import Floats, Mask
from search.samplers.candidate_space import Candidate


class TrainingCost:
    """Costs of candidates, relative to the cost of one that needs no training.

    Args:
        training_key: Names the training that a candidate needs, equal for candidates that share one; None where it
            needs none.

    Attributes:
        cost_ratio: What a training costs, relative to the rest of a trial; 0 until it is set.
        only_trained: Whether only candidates may be proposed whose training is done, or that need none.
    """

    def __init__(self, training_key: Callable[[Candidate], Hashable]) -> None:
        self.cost_ratio = 0.0
        self.only_trained = False
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
        return np.where(self._are_among(self._trained | self._in_training, candidates), 1.0, 1.0 + self.cost_ratio)

    def may_be_proposed(self, candidates: Sequence[Candidate]) -> Mask:
        """Which of ``candidates`` `only_trained` lets be proposed, shape ``(n,)``.

        Args:
            candidates: Those of earlier calls in the same order, perhaps followed by more.
        """
        return self._are_among(self._trained, candidates) | (not self.only_trained)

    def _are_among(self, trainings: set[int], candidates: Sequence[Candidate]) -> Mask:
        for candidate in candidates[len(self._number_of_candidate) :]:
            self._number_of_candidate.append(self._number(candidate))
        is_among = np.zeros(len(self._numbers), dtype=bool)
        is_among[list(trainings)] = True
        return is_among[self._number_of_candidate]

    def _number(self, candidate: Candidate) -> int:
        return self._numbers.setdefault(self._training_key(candidate), len(self._numbers))
