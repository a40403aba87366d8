"""How much longer the baseline took in one run than the shortest time known of it on the same machine.

Every run of a study times the same baseline. On a shared machine other programs slow it for minutes on end, which a run
of seconds cannot see in its own calls; the shortest time of earlier runs shows it. `runners.measuring.regimes` makes
use of it.

The shortest time is kept in milliseconds and as a multiple of the time of a reference computation, and the smaller of
the two deviations counts. A processor at a lower clock slows both computations alike, and the multiple stays; where
the reference computation itself was slowed, the milliseconds tell.
"""

import hashlib
import math
import os
import platform
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from runners.machine.accelerator import accelerated
from runners.machine.device import cpu_name
from runners.machine.versions import library_versions

BUFFER = bytes(16 * 2**10)
MUCH_SHORTER = 1.03
"""A run whose baseline took less than the known minimum by this factor shows that little was known."""
MAX_EXCESS = 1.5
"""Largest excess, as a multiple of the minimum, that is corrected for."""
MAX_KNOWN_S = 60.0
"""Seconds of earlier timing beyond which an interval becomes no narrower: it was tried with no more."""

BaselineMinima = Mapping[str, Mapping[str, float]]
"""The fields of `BaselineMinimum` by `machine_id`, in plain JSON types."""


def reference_computation() -> None:
    """A fixed computation of about ten microseconds on data in the first-level cache: its time follows the clock."""
    hashlib.sha256(BUFFER).digest()


@dataclass(frozen=True)
class BaselineMinimum:
    """The shortest time known of the baseline on one machine; the defaults say that nothing is known.

    Attributes:
        relative: The time as a multiple of that of `reference_computation`.
        milliseconds: The time itself.
        seconds: Seconds of timing from which both are known.
    """

    relative: float = math.inf
    milliseconds: float = math.inf
    seconds: float = 0.0

    def deviation_of(self, run: "BaselineMinimum") -> "Deviation":
        """How far ``run`` was above this. A run far below it shows that nothing was known before."""
        excess = min(run.relative / self.relative, run.milliseconds / self.milliseconds)
        known_s = min(self.seconds, MAX_KNOWN_S) if self.relative <= MUCH_SHORTER * run.relative else 0.0
        return Deviation(math.log(min(MAX_EXCESS, max(1.0, excess))), known_s)


@dataclass(frozen=True)
class Deviation:
    """How much longer the baseline took in one run than the shortest time known of it.

    Attributes:
        log_excess: Logarithm of its time in the run over its shortest; 0 where none was shorter.
        known_s: Seconds of timing before the run from which the shortest is known.
    """

    log_excess: float = 0.0
    known_s: float = 0.0


@cache
def machine_id() -> str:
    """A hash over what decides how long fixed computations take: the machine, its first core here, the versions.

    To be asked once a process has settled on its cores.
    """
    identity = Path("/etc/machine-id")
    parts = {
        "name": platform.node(),
        "identity": identity.read_text() if os.access(identity, os.R_OK) else "",
        "processor": cpu_name(),
        "core": min(os.sched_getaffinity(0)),
        "python": sys.version,
        "hashes": ssl.OPENSSL_VERSION,
        "libraries": sorted(library_versions().items()),
    }
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def minimum_here(minima: BaselineMinima) -> BaselineMinimum | None:
    """What is known of this machine; None with an accelerator, whose clock `reference_computation` does not show."""
    if accelerated():
        return None
    fields = minima.get(machine_id())
    return (
        BaselineMinimum(fields["relative"], fields["milliseconds"], fields["seconds"]) if fields else BaselineMinimum()
    )


def by_machine(minimum: BaselineMinimum) -> dict[str, dict[str, float]]:
    """The minimum under this machine's id; empty where nothing is known."""
    return {machine_id(): asdict(minimum)} if minimum.seconds else {}


def merged_minima(*parts: BaselineMinima) -> dict[str, dict[str, float]]:
    """What several know together of each machine: the shortest times, from all seconds of timing."""
    machines = sorted({machine for part in parts for machine in part})
    known = {machine: [part[machine] for part in parts if machine in part] for machine in machines}
    return {
        machine: {
            "relative": min(fields["relative"] for fields in each),
            "milliseconds": min(fields["milliseconds"] for fields in each),
            "seconds": sum(fields["seconds"] for fields in each),
        }
        for machine, each in known.items()
    }
