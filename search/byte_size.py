"""An amount of bytes as people write it and read it."""

import math
import re

from spaces.setting_error import SettingError

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)


def parse_size(given: str) -> int:
    """Bytes from ``500MiB``, ``20GiB``, ``1.5T`` or a plain number; a unit is a power of 1024 however it is written.

    Raises:
        SettingError: It is none of these.
    """
    match = _WRITTEN.fullmatch(given.strip())
    size = float(match[1]) * _UNITS[match[2].lower()] if match else math.inf
    if not size < 2**63:
        raise SettingError("give a size such as 500MiB, 20GiB or 1TiB")
    return int(size)


def size_text(size: int) -> str:
    """Such as ``512 B`` or ``1.5 GiB``."""
    if size < 2**10:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 2 ** (10 * power):.1f} {'KMGT'[power - 1]}iB"
