"""Durations and sizes in bytes, from text and as text."""

import math
import re
from collections.abc import Mapping
from typing import Any

from spaces.setting_error import SettingError

_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile("".join(rf"(?:({_NUMBER})[{unit}{unit.upper()}])?" for unit in "dhms"))
DURATION_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "minLength": 1, "pattern": rf"^\s*({_NUMBER}|{_DURATION.pattern})\s*$"},
    ]
}
"""The JSON schema of what `parse_duration` takes."""
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)


def parse_duration(given: object) -> float:
    """Seconds from ``90``, ``90s``, ``30m``, ``2h``, ``1h30m`` or ``7d``.

    Raises:
        SettingError: It is anything else, or not above 0.
    """
    seconds = _seconds(given)
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        raise SettingError("give seconds or a time such as 90s, 30m, 2h or 1h30m, above 0")
    return seconds


def _seconds(given: object) -> float | None:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    text = str(given).strip()
    if re.fullmatch(_NUMBER, text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not match or not text:
        return None
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True))


def parse_size(given: str) -> int:
    """Bytes from ``500MiB``, ``20GiB``, ``1.5T`` or a plain number; all units are powers of 1024.

    Raises:
        SettingError: It is anything else.
    """
    match = _SIZE.fullmatch(given.strip())
    size = float(match[1]) * _UNITS[match[2].lower()] if match else math.inf
    if not size < 2**63:
        raise SettingError("give a size such as 500MiB, 20GiB or 1TiB")
    return int(size)


def size_text(size: int) -> str:
    """A size in bytes as text, such as ``512 B`` or ``1.5 GiB``."""
    if size < 2**10:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 2 ** (10 * power):.1f} {'KMGT'[power - 1]}iB"
