"""The frozen record of all choices of one candidate."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeGuard

from spaces.errors import RequestError

Scalar = bool | int | float | str


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether ``value`` is a number; true and false, which Python takes for 1 and 0, are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole_number(value: object) -> TypeGuard[int]:
    """Whether ``value`` is a whole number, as `is_number`."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Configuration(Mapping[str, Scalar]):
    """All choices of a candidate, by parameter name; parameters that were not drawn are absent.

    Two configurations are equal if their canonical forms are equal; the order of the choices does not matter. 1.0 is
    kept as 1, so that a configuration and what is read of its canonical form lead to the same stages.

    Raises:
        RequestError: A choice is not a string, a finite number or a truth value.
    """

    choices: Mapping[str, Scalar]

    def __post_init__(self) -> None:
        for name, value in self.choices.items():
            if not isinstance(name, str) or not _is_choice(value):
                raise RequestError(f"choice {name} is {value!r}; a choice is a string, a finite number or true/false")
        plain = {name: _plain(value) for name, value in self.choices.items()}
        object.__setattr__(self, "choices", MappingProxyType(plain))

    def __getitem__(self, name: str) -> Scalar:
        return self.choices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.choices)

    def __len__(self) -> int:
        return len(self.choices)

    def __reduce__(self) -> tuple[type["Configuration"], tuple[dict[str, Scalar]]]:
        """How to copy and pickle it: as a plain dictionary, because a mapping proxy allows neither."""
        return type(self), (dict(self.choices),)

    def __hash__(self) -> int:
        return hash(self.canonical())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self.canonical() == other.canonical()

    def canonical(self) -> str:
        """One line of JSON with sorted keys, equal for equal configurations."""
        return json.dumps(dict(self.choices), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Configuration":
        """The configuration whose `canonical` form is ``text``.

        Raises:
            RequestError: The text is not a JSON object of choices.
        """
        try:
            choices = json.loads(text)
        except json.JSONDecodeError as error:
            raise RequestError(f"configuration {text!r} is not JSON ({error}); give an object of choices") from error
        if not isinstance(choices, dict):
            raise RequestError(f"configuration {text!r} is not a JSON object; give one such as {{}}")
        return cls(choices)


def _is_choice(value: object) -> bool:
    return isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))


def _plain(value: Scalar) -> Scalar:
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
