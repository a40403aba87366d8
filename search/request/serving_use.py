"""For which use everything is timed: the inputs of one call and its threads, as ``--serve batch=8,threads=2``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.setting_error import SettingError, did_you_mean

LIMITS = {"batch": 65_536, "threads": 1024}
"""The keys, and the largest number of each."""
_PAIR = rf"\s*({'|'.join(LIMITS)})\s*=\s*\d+\s*"
SERVE_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_PAIR}(,{_PAIR})?$"},
        {
            "type": "object",
            "properties": {key: {"type": "integer", "minimum": 1, "maximum": most} for key, most in LIMITS.items()},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}
"""The JSON schema of what `parse_use` takes."""


@dataclass(frozen=True)
class ServingUse:
    """For which use candidates and baseline are timed.

    Attributes:
        batch: Inputs of one call; None is one for timing, and the workload's own number for throughput.
        threads: Threads of one call; None leaves them to the search.
    """

    batch: int | None = None
    threads: int | None = None

    def to_json(self) -> dict[str, int]:
        """The numbers that are given, which `parse_use` takes."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def applied_to(self, machine: Environment) -> Environment:
        """The ``machine`` as it is called for this use.

        Raises:
            RequestError: It has fewer cores than the threads.
        """
        if self.threads is not None and self.threads > machine.cpu_cores:
            raise RequestError(
                f"--serve threads={self.threads}: the machine that measures has {machine.cpu_cores} usable cores; give "
                "as many or fewer"
            )
        threads = machine.baseline_threads if self.threads is None else self.threads
        return replace(machine, call_batch=self.batch, call_threads=self.threads, baseline_threads=threads)


def use_text(use: Mapping[str, int] | None) -> str:
    """For which use all is timed, in words; ``use`` is what `ServingUse.to_json` gave, or None."""
    given = use or {}
    batch, threads = given.get("batch", 1), given.get("threads")
    inputs = "1 input a call" if batch == 1 else f"{batch} inputs a call"
    if threads is None:
        return f"{inputs}, on as many threads as a candidate says"
    return f"{inputs}, on {threads} {'thread' if threads == 1 else 'threads'}"


def parse_use(given: object) -> ServingUse:
    """The use written as ``batch=8,threads=2``, either of both, or as a mapping with these keys.

    Raises:
        SettingError: It is anything else, or a number is too large or below 1.
    """
    if isinstance(given, ServingUse):
        return given
    pairs = _pairs(given)
    for key, value in pairs.items():
        if key not in LIMITS:
            raise SettingError(f"unknown key {key!r}; {_allowed()}{did_you_mean(key, LIMITS)}", _at(given, key))
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LIMITS[key]:
            raise SettingError(f"{key} must be a whole number from 1 to {LIMITS[key]}", _at(given, key))
    return ServingUse(**pairs)


def _pairs(given: object) -> dict[str, Any]:
    """The keys and their values, unchecked."""
    if isinstance(given, Mapping) and given:
        return {str(key): value for key, value in given.items()}
    if not isinstance(given, str) or not given.strip():
        raise SettingError(_allowed())
    found: dict[str, Any] = {}
    for part in given.split(","):
        key, equals, number = (word.strip() for word in part.partition("="))
        if not equals:
            raise SettingError(_allowed())
        if key in found:
            raise SettingError(f"{key} is given twice; keep one of them")
        found[key] = int(number) if re.fullmatch(r"[0-9]{1,9}", number) else number
    return found


def _at(given: object, key: str) -> tuple[str, ...]:
    return (key,) if isinstance(given, Mapping) else ()


def _allowed() -> str:
    return "give batch=N, threads=N or both, such as batch=8,threads=2"
