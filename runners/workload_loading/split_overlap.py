"""How many examples of one split are in another one too."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from runners.inputs import read
from runners.workload import Split

LOOKED_FOR = 500
"""Examples of a split that are looked for among those of the training split."""

COMPARED = 200_000_000
"""Numbers that are hashed at most to find them; 65,000 images of 3x32x32."""


def shared_examples(split: Split, train: Split) -> tuple[int, int]:
    """How many examples of ``split`` were found in ``train``, and how many were looked for."""
    known, wanted = set(_digests(train, COMPARED)), _digests(split, LOOKED_FOR)
    return sum(digest in known for digest in wanted), len(wanted)


def spread(length: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` different indices below ``length``, spread evenly."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).astype(np.int64))


def _digests(split: Split, most: int) -> list[str]:
    """Hashes of up to ``most`` examples, spread evenly, as far as the numbers to be hashed allow."""
    if hasattr(split, "example_digests"):
        digests: list[str] = split.example_digests()
        return [digests[i] for i in spread(len(digests), most)]
    size = sum(array.size for array in read(split, np.array([0]))[0])
    indices = spread(len(split), min(most, max(1, COMPARED // max(1, size))))
    parts = [indices[first : first + 256] for first in range(0, len(indices), 256)]
    examples = (example for part in parts for example in zip(*read(split, part)[0], strict=True))
    return [hashlib.sha256(b"".join(row.tobytes() for row in example)).hexdigest() for example in examples]
