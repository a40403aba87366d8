"""The energy counters of a machine's processors (RAPL of Linux, mostly readable by root alone)."""

from collections.abc import Sequence
from pathlib import Path
from time import sleep

RUNS_WITHIN_S = 0.05
"""A running counter is renewed every millisecond; one that stays the same for so long belongs to a virtual machine."""


class Counter:
    """A running count of energy.

    Args:
        file: Holds the count in microjoules.
        wraps_at: After which value it begins again at 0, or None where that is not known.
    """

    def __init__(self, file: Path, wraps_at: int | None) -> None:
        self._file, self._wraps_at = file, wraps_at
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._last, self._total = self._read(), 0

    def joules(self) -> float:
        """Joules since `restart`; it must be asked before the count wraps twice, which takes minutes.

        Raises:
            OSError: The count can no longer be read, or ran backwards.
        """
        now = self._read()
        passed = now - self._last
        if passed < 0:
            if self._wraps_at is None:
                raise OSError("the energy counter ran backwards")
            passed += self._wraps_at + 1
        self._last, self._total = now, self._total + passed
        return self._total / 1e6

    def _read(self) -> int:
        return int(self._file.read_text())


def running_counters(root: Path = Path("/")) -> list[Counter]:
    """A counter for each processor package, with its cores and its memory controller, from 0 on.

    Empty where the machine has none, or one that cannot be read or stands still. ``root`` is where its ``sys`` is.
    """
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    try:
        packages = [zone for zone in zones if (zone / "name").read_text().startswith("package")]
        counters = [Counter(zone / "energy_uj", _range_of(zone)) for zone in packages]
        if not _all_run(counters):
            return []
        for counter in counters:
            counter.restart()
    except (OSError, ValueError):
        return []
    return counters


def _range_of(zone: Path) -> int | None:
    try:
        return int((zone / "max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return None


def _all_run(counters: Sequence[Counter]) -> bool:
    """Whether every counter goes up within the time that a running one needs."""
    still = list(counters)
    for _ in range(5):
        if not still:
            break
        sleep(RUNS_WITHIN_S / 5)
        still = [counter for counter in still if counter.joules() <= 0]
    return not still
