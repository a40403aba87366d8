"""What an artifact answered on the examples of a split, kept so that two artifacts can be compared in pairs."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["correct", "resampled", "measured"]
RESAMPLES = 400
"""Resamples of the examples on which a metric other than accuracy is computed."""
_TYPES: dict[Kind, np.dtype[Any]] = {
    "correct": np.dtype(np.uint8),
    "resampled": np.dtype("<f4"),
    "measured": np.dtype("<f4"),
}


@dataclass(frozen=True)
class Answers:
    """What one artifact answered on one split.

    Attributes:
        kind: ``correct`` has one bit an example, whether the answer was correct; ``resampled`` has the metric on
            resamples of the examples, the same ones for every artifact, NaN where it cannot be computed;
            ``measured`` the same of a metric that is no fraction.
        examples: Number of examples of the split.
        data: The bits as `numpy.packbits` packs them, or the values as little-endian float32.
    """

    kind: Kind
    examples: int
    data: bytes

    @classmethod
    def of_correct(cls, correct: NDArray[np.bool_]) -> "Answers":
        """The answers of which those in the mask ``(examples,)`` are correct."""
        return cls("correct", len(correct), np.packbits(correct).tobytes())

    @classmethod
    def of_resampled(cls, values: NDArray[np.float64], examples: int, kind: Kind = "resampled") -> "Answers":
        """The metric's values on the first of `RESAMPLES` resamples of ``examples`` examples; all else becomes NaN."""
        padded = np.full(RESAMPLES, np.nan, _TYPES[kind])
        padded[: len(values)] = np.where(np.isfinite(values), values, np.nan)
        return cls(kind, examples, padded.tobytes())

    @property
    def array(self) -> NDArray[Any]:
        """The packed bits as ``(ceil(examples / 8),)`` bytes, or the values ``(RESAMPLES,)``; not to be written to."""
        return np.frombuffer(self.data, _TYPES[self.kind])

    def can_be_paired_with(self, other: "Answers") -> bool:
        """Whether both answered as many examples in the same way; whether they are the same ones is not known here."""
        return (self.kind, self.examples, len(self.data)) == (other.kind, other.examples, len(other.data))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain JSON types; `from_json` gives the same answers back."""
        return {"kind": self.kind, "examples": self.examples, "data": b64encode(self.data).decode()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Answers":
        """The answers that `to_json` wrote.

        Raises:
            ValueError: They are not answers, or not as many as they say.
        """
        try:
            answers = cls(document["kind"], int(document["examples"]), b64decode(document["data"], validate=True))
            size = len(answers.array)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not answers: {error}") from error
        if size != (-(-answers.examples // 8) if answers.kind == "correct" else RESAMPLES):
            raise ValueError(f"not answers: {size} numbers for {answers.examples} examples")
        return answers


def answers_of_stage(result: Mapping[str, Any]) -> dict[str, Answers]:
    """The answers by split in the ``result`` of a measuring stage; empty where it evaluated nothing, or kept none."""
    return {split: Answers.from_json(document) for split, document in result.get("answers", {}).items()}
