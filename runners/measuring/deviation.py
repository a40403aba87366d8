"""How far a run was from the quietest that its machine is known to be.

A shared machine has regimes of minutes in which a network that just fits its caches takes 10 % longer and a small one
takes as long as ever; no run of seconds can tell. But every run of a study times the same baseline: its shortest time
so far shows in which regime a run was. `runners.measuring.regimes` makes use of it.

That time is kept in milliseconds and in beats, and what both say counts: a processor that is hot or saves power takes
longer for all calls, and no more beats; and where a beat takes longer than usual, the milliseconds show it.
"""

import hashlib
import math
import os
import platform
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, reduce
from pathlib import Path

from runners.machine.accelerator import accelerated
from runners.machine.device import cpu_name
from runners.machine.versions import library_versions

BUFFER = bytes(16 * 2**10)
QUIETER = 1.03
"""A run in which the shortest known is so many times as long as its own shows that little was known."""
MOST_EXCESS = 1.5
"""A baseline that takes longer than so many times its shortest is told no better by knowing that."""
MOST_KNOWN_S = 60.0
"""Intervals were tried with so many seconds of timing before them, and are not narrower with more."""

QuietByMachine = Mapping[str, Mapping[str, float]]
"""What is known of machines by their `machine_id`, in plain JSON types: the fields of `Quiet`."""


def beat() -> None:
    """A fixed piece of work of ten microseconds or so within the nearest cache: its time follows the clock alone."""
    hashlib.sha256(BUFFER).digest()


@dataclass(frozen=True)
class Quiet:
    """The baseline at its quietest on one machine; without figures, that nothing is known yet.

    Attributes:
        beats: Its shortest time, as a multiple of that of `beat`.
        milliseconds: Its shortest time.
        seconds: How long timing went on to find that.
    """

    beats: float = math.inf
    milliseconds: float = math.inf
    seconds: float = 0.0

    def joined(self, other: "Quiet") -> "Quiet":
        """What both know."""
        return Quiet(
            min(self.beats, other.beats),
            min(self.milliseconds, other.milliseconds),
            self.seconds + other.seconds,
        )

    def mood(self, run: "Quiet") -> "Mood":
        """How ``run`` was against this. One that was much quieter shows that nothing was known before."""
        times = min(run.beats / self.beats, run.milliseconds / self.milliseconds)
        known_s = min(self.seconds, MOST_KNOWN_S) if self.beats <= QUIETER * run.beats else 0.0
        return Mood(math.log(min(MOST_EXCESS, max(1.0, times))), known_s)


@dataclass(frozen=True)
class Mood:
    """How quiet a machine was in one run, against what was known of it.

    Attributes:
        excess: Logarithm of the baseline's time over its shortest known; 0 where none was shorter.
        known_s: Seconds of timing before the run that tell how short it can be.
    """

    excess: float = 0.0
    known_s: float = 0.0


@cache
def machine_id() -> str:
    """A hash over what decides how long the baseline and a beat take: the machine, its first core here, the versions.

    To be asked once a process has settled on its cores.
    """
    identity = Path("/etc/machine-id")
    parts = {
        "name": platform.node(),
        "identity": identity.read_text() if os.access(identity, os.R_OK) else "",
        "processor": cpu_name(),
        "core": min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "python": sys.version,
        "hashes": ssl.OPENSSL_VERSION,
        "libraries": sorted(library_versions().items()),
    }
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def quiet_here(known: QuietByMachine) -> Quiet | None:
    """What is known of this machine; None with an accelerator, whose pace no `beat` tells."""
    return None if accelerated() else _read(known.get(machine_id(), {}))


def seen_here(run: Quiet) -> dict[str, dict[str, float]]:
    """What a run on this machine saw; empty where it saw nothing."""
    return {machine_id(): asdict(run)} if run.seconds else {}


def joined_by_machine(*parts: QuietByMachine) -> dict[str, dict[str, float]]:
    """What several know together."""
    machines = sorted({machine for part in parts for machine in part})
    return {
        machine: asdict(reduce(Quiet.joined, (_read(part.get(machine, {})) for part in parts))) for machine in machines
    }


def _read(fields: Mapping[str, float]) -> Quiet:
    return Quiet(fields["beats"], fields["milliseconds"], fields["seconds"]) if fields else Quiet()
