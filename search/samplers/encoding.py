"""Where a candidate lies among the others, so that a short distance says that two are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spaces.configuration import Scalar

Floats = NDArray[np.float64]

ACROSS = 3.0
"""Squared distance between the ends of an ordered parameter; between two unordered choices it is 1."""


@dataclass(frozen=True)
class Scale:
    """The values of one parameter: ordered where all are numbers, each as far from each other where not.

    Attributes:
        values: What the parameter may be; for numbers between these, the position between them counts.
    """

    values: tuple[Scalar, ...]

    @cached_property
    def ordered(self) -> bool:
        """Whether the values have positions."""
        return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)

    @property
    def width(self) -> int:
        """Columns of `rows`."""
        return 2 if self.ordered else len(self.values) + 1

    def rows(self, values: Sequence[Scalar | None]) -> Floats:
        """Coordinates ``(n, width)`` of ``values``; None, a parameter that was not drawn, is as far away as can be.

        A choice that is not among the values is halfway to every one of them.
        """
        return self._positions(values) if self.ordered else self._indicators(values)

    def _positions(self, values: Sequence[Scalar | None]) -> Floats:
        levels = np.array(sorted({float(value) for value in self.values}))
        absent = np.array([not isinstance(value, (int, float)) for value in values])
        numbers = np.array([0.0 if off else float(value or 0) for value, off in zip(values, absent, strict=True)])
        places = (
            np.interp(numbers, levels, np.linspace(0, 1, len(levels))) if len(levels) > 1 else np.zeros(len(values))
        )
        return np.column_stack([np.where(absent, 0.5, places) * np.sqrt(ACROSS), absent])

    def _indicators(self, values: Sequence[Scalar | None]) -> Floats:
        columns = {value: column for column, value in enumerate((*self.values, None))}
        rows = np.zeros((len(values), self.width))
        for row, value in enumerate(values):
            if value in columns:
                rows[row, columns[value]] = np.sqrt(0.5)
        return rows


@dataclass(frozen=True)
class Encoding:
    """Turns features into coordinates whose squared distances add up over the parameters.

    Attributes:
        scales: The values of each parameter, by its name.
    """

    scales: Mapping[str, Scale]

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """For each coordinate the number of its parameter, shape ``(n_coordinates,)``."""
        widths = [scale.width for scale in self.scales.values()]
        return np.repeat(np.arange(len(widths)), widths)

    def rows(self, features: Sequence[Mapping[str, Scalar]]) -> Floats:
        """Coordinates ``(n, n_coordinates)``; a parameter that is absent from some features was not drawn there."""
        parts = [scale.rows([one.get(name) for one in features]) for name, scale in self.scales.items()]
        return np.hstack(parts) if parts else np.zeros((len(features), 0))


def ranks(values: Floats, among: Floats) -> Floats:
    """Where each of ``values`` stands among others, from 0 to 1: a coordinate without tails or units."""
    order = np.unique(among[np.isfinite(among)])
    if len(order) < 2:
        return np.zeros(len(values))
    places: Floats = np.interp(values, order, np.linspace(0, 1, len(order)))
    return places
