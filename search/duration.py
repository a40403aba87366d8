"""A length of time as people write it."""

import math
import re

from spaces.setting_error import SettingError

_WRITTEN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(given: object) -> float:
    """Seconds from ``90``, ``90s``, ``30m``, ``2h``, ``1h30m`` or ``7d``.

    Raises:
        SettingError: It is none of these, or not above 0.
    """
    seconds = _seconds(given)
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        raise SettingError("give seconds or a time such as 90s, 30m, 2h or 1h30m, above 0")
    return seconds


def _seconds(given: object) -> float | None:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    text = str(given).strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    match = _WRITTEN.fullmatch(text)
    if not match or not text:
        return None
    return sum(float(part or 0) * unit for part, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True))
