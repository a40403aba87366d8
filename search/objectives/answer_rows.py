"""What the rows of a table answered, to compare their accuracies in pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.quality.answers import Answers
from runners.quality.paired_difference import differences_ci95
from search.objectives.arrays import Indices, Mask


@dataclass(frozen=True)
class AnswerRows:
    """The answers of artifacts to the same examples, a row each.

    Attributes:
        known: Which rows have answers ``(n_rows,)``; answers that cannot be paired with the first ones do not count.
        arrays: The arrays of the answers ``(n_rows, width)``, zeros where they are not known.
        first: The first answers, of whose kind all others are; None where no row has any.
        higher_is_better: Whether more of the metric is better.
    """

    known: Mask
    arrays: NDArray[Any]
    first: Answers | None
    higher_is_better: bool = True

    @classmethod
    def stack(cls, answers: Sequence[Answers | None], higher_is_better: bool = True) -> "AnswerRows":
        """The rows of ``answers``; None is not known."""
        first = next((one for one in answers if one is not None), None)
        known = np.array([_belongs(one, first) for one in answers], dtype=bool)
        if first is None:
            return cls(known, np.zeros((len(answers), 0), np.uint8), None, higher_is_better)
        arrays = np.zeros((len(answers), len(first.array)), first.array.dtype)
        for row, one in enumerate(answers):
            if one is not None and known[row]:
                arrays[row] = one.array
        return cls(known, arrays, first, higher_is_better)

    def with_row(self, answers: Answers | None) -> "AnswerRows":
        """These rows and one more."""
        if self.first is None:
            return AnswerRows.stack([*[None] * len(self.known), answers], self.higher_is_better)
        known = _belongs(answers, self.first)
        row = answers.array if answers is not None and known else np.zeros(self.arrays.shape[1], self.arrays.dtype)
        return replace(self, known=np.append(self.known, known), arrays=np.vstack([self.arrays, row]))

    def compare(self, rows: Indices, others: Indices) -> tuple[Mask, Mask]:
        """Which of ``rows`` can be compared in pairs with ``others``, and which are certainly more accurate.

        The indices ``(k,)`` are broadcast against each other. A row is certainly more accurate where the 95 % interval
        of the paired difference lies above 0, or below it where less is better.
        """
        paired = self.known[rows] & self.known[others]
        better = np.zeros(paired.shape, dtype=bool)
        if self.first is not None and paired.any():
            low, high = differences_ci95(self.first.kind, self.first.examples, self.arrays[rows], self.arrays[others])
            paired, better = paired & ~np.isnan(high), low > 0 if self.higher_is_better else high < 0
        return paired, better


def _belongs(answers: Answers | None, first: Answers | None) -> bool:
    return answers is not None and first is not None and answers.can_be_paired_with(first)
