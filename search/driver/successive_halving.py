"""Which trials are stopped early: several objectives at once, decided as soon as a trial reports.

The method is the multi-objective asynchronous successive halving of Schmucker, Donini, Zafar, Salinas and
Archambeau (arXiv 2106.12639): at a rung the best share goes on, ordered by dominance and then by distance from each
other. Three things differ. Dominance is counted (how many trials dominate this one?), since one lucky trial changes a
count little. Trials are compared by losses projected to the next rung, so a slow starter that gains fast goes on. And
what nothing dominates goes on, however many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

REDUCTION = 2.0
"""One trial in so many goes on. On the curves named below, 1.75 spent 13 to 14 % of the epochs and 2.25 9 to 11 %,
and stopped .13 to .30 and .32 to .47 of the final fronts' trials."""

GROWTH = 1.5
"""Each level has about so many times the epochs of the one before: many rungs that each stop half. On the curves of
`tests/benchmarks/early_stopping.py` (30 other seeds of the same three tasks), 11 to 12 % of the epochs then stopped
.21, .22 and .40 of the final fronts' trials; levels that triple from 2, with a quarter going on, by the losses as
they are, stopped .45, .27 and .64 for 10 to 11 % (15 of those seeds)."""


def levels_of(epochs: int) -> tuple[int, ...]:
    """The epochs after which a training of ``epochs`` epochs is judged; the last is ``epochs`` itself.

    They grow geometrically from 1: 25 epochs give 1, 2, 3, 4, 6, 9, 14, 25. A level nearer to the end than half
    a step is left out, for there is little left to save. One epoch gives one level, and nothing to stop; two
    epochs give two, and nothing is stopped either, since `Rungs` projects losses from two rungs.

    Raises:
        ValueError: ``epochs`` is below 1.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; give 1 or more")
    levels, level = [], 1
    while level * GROWTH**0.5 <= epochs and level < epochs:
        levels.append(level)
        level = max(level + 1, round(level * GROWTH))
    return (*levels, epochs)


@dataclass
class _Rung:
    """What has been reported at one level, a row a trial in the order of arrival.

    Attributes:
        decisions: By trial, whether it goes on.
        losses: ``(n_reported, n_objectives)``.
        projected: The same projected to the next level, of the same shape.
        dominators: How many rows of ``projected`` dominate each, ``(n_reported,)``.
    """

    losses: NDArray[np.float64]
    projected: NDArray[np.float64]
    dominators: NDArray[np.intp]
    rows: dict[int, int] = field(default_factory=dict)
    decisions: dict[int, bool] = field(default_factory=dict)


class Rungs:
    """Decides at once, from what has been reported so far, whether a trial goes on to its next level.

    The first rung stops no trial, since nothing can be projected from one rung. A trial that none of the losses
    reported at its rung dominates is never stopped. Otherwise its projected losses are compared: its losses with
    what they gained since the rung before added once more, so about its losses at the next level. It goes on if it
    is among the best ``1 / reduction`` there: those with the fewest dominators, and among equals those farthest
    from the better ones, in ranks. Ranks rather than a scale from the smallest to the largest, because one trial
    that diverged would bring all others close together.

    So multiplying an objective changes nothing. With many objectives few trials are dominated, and few stopped.

    Args:
        levels: Epochs spent at each rung, rising; the last is a whole training, where nothing is left to stop.
        reduction: One trial in so many goes on.

    Raises:
        ValueError: The levels do not rise from 1 or more, or ``reduction`` is not above 1.
    """

    def __init__(self, levels: Sequence[int], reduction: float = REDUCTION) -> None:
        if not levels or levels[0] < 1 or any(after <= before for before, after in pairwise(levels)):
            raise ValueError(f"levels are {list(levels)}; give epochs that rise, from 1 or more")
        if not reduction > 1:
            raise ValueError(f"reduction is {reduction}; give a number above 1")
        self.levels = tuple(levels)
        self._reduction = reduction
        self._rungs: list[_Rung | None] = [None] * (len(self.levels) - 1)

    def report(self, trial: int, rung: int, losses: Sequence[float]) -> bool:
        """Whether ``trial`` goes on from ``rung``; False means that it is stopped.

        Reporting the same trial at the same rung again gives the answer it had, and counts once. Infinity stands for
        what could not be measured, and is worse than any number.

        Args:
            trial: Its number.
            rung: Position in ``levels``, from 0; the last level is no rung.
            losses: One number to minimise for each objective, the same objectives every time.

        Raises:
            ValueError: There is no such rung, a loss is NaN or minus infinity, or their number changed.
        """
        row = self._checked(rung, losses)
        here = self._rungs[rung]
        if here is None:
            empty = np.empty((0, len(row)))
            here = self._rungs[rung] = _Rung(empty, empty, np.empty(0, dtype=np.intp))
        if trial not in here.decisions:
            undominated = not _dominate(here.losses, row).any()
            _add(here, trial, row, self._project(trial, rung, row))
            here.decisions[trial] = rung == 0 or undominated or _last_is_among_best(here, self._reduction)
        return here.decisions[trial]

    def _checked(self, rung: int, losses: Sequence[float]) -> NDArray[np.float64]:
        if not 0 <= rung < len(self._rungs):
            raise ValueError(f"rung is {rung}; {len(self.levels)} levels have the rungs 0 to {len(self._rungs) - 1}")
        row = np.asarray(losses, dtype=float)
        if row.ndim != 1 or len(row) == 0 or np.isnan(row).any() or np.isneginf(row).any():
            raise ValueError(f"losses are {list(losses)}; give a number, or infinity, for each objective")
        known = next((r.losses.shape[1] for r in self._rungs if r is not None), len(row))
        if len(row) != known:
            raise ValueError(f"{len(row)} losses were given; the reports before had {known}")
        return row

    def _project(self, trial: int, rung: int, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """``row`` with its gain since the rung before added once more; ``row`` itself where that is not known."""
        before = self._rungs[rung - 1] if rung > 0 else None
        if before is None or trial not in before.rows:
            return row
        earlier = before.losses[before.rows[trial]]
        known = np.isfinite(earlier) & np.isfinite(row)
        return np.asarray(row + (np.where(known, row, 0.0) - np.where(known, earlier, 0.0)))


def _dominate(rows: NDArray[np.float64], row: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of ``rows`` dominate ``row``: nowhere worse, and somewhere better."""
    return np.asarray((rows <= row).all(axis=1) & (rows < row).any(axis=1))


def _add(rung: _Rung, trial: int, losses: NDArray[np.float64], projected: NDArray[np.float64]) -> None:
    dominated = (projected <= rung.projected).all(axis=1) & (projected < rung.projected).any(axis=1)
    dominators = int(_dominate(rung.projected, projected).sum())
    rung.rows[trial] = len(rung.losses)
    rung.losses = np.vstack([rung.losses, losses])
    rung.projected = np.vstack([rung.projected, projected])
    rung.dominators = np.append(rung.dominators + dominated, dominators)


def _last_is_among_best(rung: _Rung, reduction: float) -> bool:
    """Whether the latest trial has one of the places: the whole number within the share, and at least one."""
    own = rung.dominators[-1]
    ahead, equal = np.flatnonzero(rung.dominators < own), np.flatnonzero(rung.dominators == own)
    places = max(1, int(len(rung.dominators) / reduction)) - len(ahead)
    if places <= 0 or len(equal) <= places:
        return places > 0
    return len(equal) - 1 in _farthest(_ranks(rung.projected), ahead, equal, places)


def _ranks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column's ranks from 0 to 1, equal numbers sharing the middle of theirs."""
    ordered = np.sort(rows, axis=0)
    return np.column_stack(
        [
            (np.searchsorted(o, column, "left") + np.searchsorted(o, column, "right") - 1) / (2 * len(rows))
            for o, column in zip(ordered.T, rows.T, strict=True)
        ]
    )


def _farthest(points: NDArray[np.float64], ahead: NDArray[np.intp], equal: NDArray[np.intp], places: int) -> set[int]:
    """Positions in ``equal`` taken one by one, each the farthest from ``ahead`` and from those taken before."""
    distances = np.full(len(equal), np.inf)
    for other in ahead:
        distances = np.minimum(distances, np.linalg.norm(points[equal] - points[other], axis=1))
    taken: set[int] = set()
    while len(taken) < places:
        farthest = int(np.argmax(distances))
        taken.add(farthest)
        distances = np.minimum(distances, np.linalg.norm(points[equal] - points[equal[farthest]], axis=1))
        distances[list(taken)] = -1
    return taken
