"""The error for one wrong setting, in a file or on the command line."""

from collections.abc import Iterable
from difflib import get_close_matches

from spaces.errors import RequestError

LEAST_PART = 3
"""Characters that a part of a name has at least to stand for it."""


class SettingError(RequestError):
    """One setting is wrong; the caller puts the option, or file and line, in front of the message.

    Attributes:
        at: Path of keys and positions from the checked value to the wrong one; empty where the value itself is wrong.
        whole: Whether the message already names the setting, as for an unknown key.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = (), whole: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.whole = whole


def unknown_key(key: str, allowed: Iterable[str], at: tuple[str | int, ...] = (), inside: str = "") -> SettingError:
    """The error for a key that is not in ``allowed``, with the most similar allowed one; ``at`` is its path."""
    names = tuple(allowed)
    place = f" in {inside}" if inside else ""
    sentence = f"unknown key {in_short(key)!r}{place}; allowed are {', '.join(names)}{did_you_mean(key, names)}"
    return SettingError(sentence, at, whole=True)


def did_you_mean(given: object, allowed: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the most similar of ``allowed``; empty where none is similar.

    Capitals do not matter, nor whether words are joined by ``-`` or ``_``. Where no spelling is similar, a name that
    holds what was given is, as ``from_study`` holds ``from``.
    """
    names = {name.lower().replace("-", "_"): name for name in allowed}
    text = in_short(str(given)).lower().replace("-", "_")
    holding = [name for name in names if len(text) >= LEAST_PART and text in name]
    near = get_close_matches(text, names, n=1) or holding
    return f" (did you mean {names[near[0]]!r}?)" if near else ""


def in_short(text: str, limit: int = 100) -> str:
    """``text`` without its middle where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit // 2]}...{text[-limit // 2 :]}"
