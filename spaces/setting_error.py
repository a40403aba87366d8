"""A setting that a person wrote is refused, wherever they wrote it."""

from collections.abc import Iterable
from difflib import get_close_matches

from spaces.errors import RequestError


class SettingError(RequestError):
    """One setting is refused; who knows where it was written puts the flag or the file and line in front.

    Attributes:
        at: Keys and positions that lead to the setting from the value that was checked; empty is the value itself.
        whole: Whether the message names the setting itself, as for a key that is unknown.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = (), whole: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.whole = whole


def unknown_key(key: object, allowed: Iterable[str], at: tuple[str | int, ...] = (), inside: str = "") -> SettingError:
    """The refusal of a key that is none of ``allowed``, with the nearest one; ``at`` leads to the key."""
    names = tuple(allowed)
    place = f" in {inside}" if inside else ""
    sentence = f"unknown key {key!r}{place}; allowed are {', '.join(names)}{did_you_mean(key, names)}"
    return SettingError(sentence, at, whole=True)


def did_you_mean(given: object, allowed: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest of ``allowed``, or nothing where none is near."""
    near = get_close_matches(str(given), list(allowed), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
