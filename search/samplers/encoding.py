"""Encoding of candidates as vectors whose squared distances a kernel can use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from search.objectives.arrays import Floats, Indices
from spaces.configuration import Scalar

NUMERIC_SPAN = 3.0
"""Squared distance between the smallest and the largest value of a numeric parameter; of two categories it is 1."""


@dataclass(frozen=True)
class ParameterEncoding:
    """The encoding of one parameter: numeric where all its values are numbers, one-hot otherwise.

    The values of a numeric parameter are equally spaced in their order. A value between two of them is interpolated.

    Attributes:
        values: What the parameter may be.
    """

    values: tuple[Scalar, ...]

    @cached_property
    def is_numeric(self) -> bool:
        """Whether all values are numbers; truth values are categories."""
        return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)

    @property
    def width(self) -> int:
        """Number of features."""
        return 2 if self.is_numeric else len(self.values) + 1

    def encode(self, values: Sequence[Scalar | None]) -> Floats:
        """The features ``(n, width)`` of ``values``.

        None stands for a parameter that a candidate does not have; it is at least as far from every value as two
        categories are from each other. A category that is not among the values is at half that squared distance from
        each of them.
        """
        return self._numeric(values) if self.is_numeric else self._one_hot(values)

    def _numeric(self, values: Sequence[Scalar | None]) -> Floats:
        levels = np.unique(np.array(self.values, dtype=float))
        numbers = np.array([float(value) if isinstance(value, (int, float)) else np.nan for value in values])
        is_absent = np.isnan(numbers)
        positions = np.interp(numbers, levels, np.linspace(0, 1, len(levels)))
        return np.column_stack([np.where(is_absent, 0.5, positions) * np.sqrt(NUMERIC_SPAN), is_absent])

    def _one_hot(self, values: Sequence[Scalar | None]) -> Floats:
        columns = {value: column for column, value in enumerate((*self.values, None))}
        features = np.zeros((len(values), self.width))
        for row, value in enumerate(values):
            if value in columns:
                features[row, columns[value]] = np.sqrt(0.5)
        return features


class Encoding:
    """Encodes candidates; their squared distances are sums over the parameters.

    Args:
        parameter_values: What each parameter may be.

    Attributes:
        groups: For each feature the index of its parameter, ``(n_features,)``.
        n_parameters: How many parameters there are.
    """

    def __init__(self, parameter_values: Mapping[str, tuple[Scalar, ...]]) -> None:
        self._parameters = {name: ParameterEncoding(values) for name, values in parameter_values.items()}
        self.n_parameters = len(self._parameters)
        widths = [parameter.width for parameter in self._parameters.values()]
        self.groups: Indices = np.repeat(np.arange(self.n_parameters, dtype=np.intp), widths)

    def encode(self, candidates: Sequence[Mapping[str, Scalar]]) -> Floats:
        """The features ``(n, n_features)`` of ``candidates``, some of which may lack some of the parameters."""
        blocks = [np.zeros((len(candidates), 0))]
        for name, parameter in self._parameters.items():
            blocks.append(parameter.encode([candidate.get(name) for candidate in candidates]))
        return np.hstack(blocks)


def normalised_ranks(values: Floats, observed: Floats) -> Floats:
    """The ranks of ``values`` ``(n,)`` among the ``observed`` ones, interpolated, from 0 (smallest) to 1.

    NaN among ``observed`` is ignored, and stays NaN among ``values``. With fewer than two different observed values,
    all ranks are 0.
    """
    levels = np.unique(observed[np.isfinite(observed)])
    if len(levels) < 2:
        return np.zeros(len(values))
    ranks: Floats = np.interp(values, levels, np.linspace(0, 1, len(levels)))
    return ranks
