"""Examples divided into splits class by class, always the same way."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spaces.errors import RequestError

SHARES = {"validation": 0.15, "test": 0.15}
"""What is taken of every class where nothing is divided yet; the rest trains."""


def divide(
    names: Sequence[str], groups: Sequence[Hashable], rest: str, shares: Mapping[str, float], seed: int = 0
) -> dict[str, NDArray[np.int64]]:
    """The positions of the examples of each split, in ascending order.

    The examples of a group are ordered by a hash of their names and the seed, and cut by the shares. So the result
    depends on no library's random numbers, and an example that is added moves few others.

    Args:
        names: A name for each example, all different.
        groups: The class of each example; every split gets its share of each.
        rest: The split that gets what the others leave.
        shares: The share of each class, between 0 and 1, that another split gets: at least one example.
        seed: Another one divides otherwise.

    Raises:
        RequestError: A group has fewer examples than there are splits.
    """
    members: dict[Hashable, list[int]] = {}
    for position in sorted(range(len(names)), key=lambda i: hashlib.sha256(f"{seed}\n{names[i]}".encode()).digest()):
        members.setdefault(groups[position], []).append(position)
    found: dict[str, list[int]] = {rest: [], **{split: [] for split in shares}}
    for group, positions in sorted(members.items(), key=lambda item: str(item[0])):
        if len(positions) <= len(shares):
            raise RequestError(
                f"{group} has {_counted(len(positions))}, and each of {', '.join(found)} needs one at least; add some, "
                "or divide the data yourself"
            )
        begin = 0
        for split, share in shares.items():
            end = begin + max(1, round(share * len(positions)))
            found[split] += positions[begin:end]
            begin = end
        found[rest] += positions[begin:]
    return {split: np.array(sorted(positions), dtype=np.int64) for split, positions in found.items()}


def _counted(number: int) -> str:
    return f"{number} example{'' if number == 1 else 's'}"
