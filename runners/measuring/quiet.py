"""How far a run was from the quietest that its machine is known to be.

A shared machine has regimes of minutes in which a network that just fits its caches takes 10 % longer and a small one
takes as long as ever; no run of seconds can tell. But every run of a study times the same baseline: its shortest time
so far shows in which regime a run was. `runners.measuring.statistics` makes use of it.

That time is counted in beats, not in seconds, so that a processor that is hot or saves power, and slows all alike, does
not look like one whose caches are shared.
"""

import hashlib
import math
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce

from runners.accelerator import accelerated

BUFFER = bytes(16 * 2**10)


def beat() -> None:
    """A fixed piece of work of ten microseconds or so within the nearest cache: its time follows the clock alone."""
    hashlib.sha256(BUFFER).digest()


def machine_id() -> str:
    """What tells this machine from others without giving away its name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Quiet:
    """The baseline at its quietest on one machine; without figures, that nothing is known yet.

    Attributes:
        beats: Its shortest time, as a multiple of that of `beat`.
        seconds: For how long calls were timed to find that.
    """

    beats: float = math.inf
    seconds: float = 0.0

    def joined(self, other: "Quiet") -> "Quiet":
        """What both know."""
        return Quiet(min(self.beats, other.beats), self.seconds + other.seconds)

    def mood(self, run: "Quiet") -> "Mood":
        """How ``run`` was against this."""
        return Mood(math.log(max(1.0, run.beats / self.beats)), self.seconds, run)


@dataclass(frozen=True)
class Mood:
    """How quiet a machine was in one run, against what was known of it.

    Attributes:
        excess: Logarithm of the baseline's shortest time, in beats, over the quietest known; 0 where none was quieter.
        known_s: For how many seconds calls were timed before to find that.
        quiet: What the run itself saw; nothing where that was not asked for.
    """

    excess: float = 0.0
    known_s: float = 0.0
    quiet: Quiet = Quiet()


Known = Mapping[str, Mapping[str, float]]
"""What is known of machines by their `machine_id`, in plain JSON types: the fields of `Quiet`."""


def quiet_here(known: Known) -> Quiet | None:
    """What is known of this machine; None with an accelerator, whose pace no `beat` tells."""
    return None if accelerated() else _read(known.get(machine_id(), {}))


def known_after(runs: Iterable[Quiet]) -> dict[str, dict[str, float]]:
    """What these runs saw of this machine."""
    seen = reduce(Quiet.joined, runs, Quiet())
    return {machine_id(): asdict(seen)} if seen.seconds else {}


def all_known(*parts: Known) -> dict[str, dict[str, float]]:
    """What several runs know together."""
    together: dict[str, Quiet] = {}
    for part in parts:
        for machine, fields in part.items():
            together[machine] = together.get(machine, Quiet()).joined(_read(fields))
    return {machine: asdict(quiet) for machine, quiet in together.items()}


def _read(fields: Mapping[str, float]) -> Quiet:
    return Quiet(fields["beats"], fields["seconds"]) if fields else Quiet()
