"""Energy from the counters of a machine, and the state of its clocks; what it lacks is absent, never guessed."""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import Any

MOVES_WITHIN_S = 0.05
"""A counter that runs is renewed every millisecond; one that stands still this long is a virtual machine's."""

REASONS = {
    0x4: "power cap set by software",
    0x8: "slowdown by hardware",
    0x20: "heat, slowed by software",
    0x40: "heat, slowed by hardware",
    0x80: "power brake",
}
"""Bits of NVML's reasons for a lowered clock that make a measurement doubtful; being idle is not one."""


@dataclass
class Counter:
    """A running count of energy.

    Attributes:
        read: Gives the count; raises `OSError` where it cannot be read.
        joule: How many of its units are a joule.
        wraps_at: After which value it begins again at 0, or None.
    """

    read: Callable[[], int]
    joule: float
    wraps_at: int | None = None

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._last, self._total = self.read(), 0

    def joules(self) -> float:
        """Joules since `begin`; it must be read before the count goes round twice, which takes minutes."""
        now = self.read()
        passed = now - self._last
        if passed < 0:
            if self.wraps_at is None:
                raise OSError("the energy counter ran backwards")
            passed += self.wraps_at + 1
        self._last, self._total = now, self._total + passed
        return self._total / self.joule


class EnergyMeter:
    """The energy of all processors of a machine, or of all its accelerators, with whatever else runs on them.

    Attributes:
        source: Which counters these are, for people.
    """

    def __init__(self, counters: Sequence[Counter], source: str) -> None:
        self._counters = tuple(counters)
        self.source = source

    @classmethod
    def find(cls, root: Path = Path("/"), device: str = "cpu") -> "EnergyMeter | None":
        """The meter of ``device``, or None: no counter, one of several that cannot be read, or one that stands still.

        Args:
            root: Where the machine's ``sys`` is.
            device: ``cpu`` for the processor packages (RAPL, mostly readable by root alone); anything else for the
                NVIDIA accelerators (NVML, where ``pynvml`` is installed).
        """
        try:
            counters, kind = (_packages(root), "RAPL") if device == "cpu" else (_accelerators(), "NVML")
            if not counters or not _all_move(counters):
                return None
        except (OSError, ValueError):
            return None
        what = "package" if device == "cpu" else "accelerator"
        return cls(counters, f"{kind}, {len(counters)} {what}{'s' * (len(counters) != 1)}")

    def joules(self) -> float:
        """Joules since the meter was found.

        Raises:
            OSError: A counter can no longer be read.
        """
        return sum(counter.joules() for counter in self._counters)


def device_state(root: Path = Path("/")) -> dict[str, Any]:
    """What may explain a slow measurement: ``load_1m``, ``cpu_mhz`` as (slowest, fastest core), ``accelerators``.

    Each accelerator has ``sm_mhz``, ``memory_mhz`` and ``slowed_by``. What cannot be known has no key.
    """
    state: dict[str, Any] = {"load_1m": round(os.getloadavg()[0], 2)} if hasattr(os, "getloadavg") else {}
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    clocks = [clock / 1e3 for file in files if (clock := _number(file)) is not None]
    if clocks:
        state["cpu_mhz"] = (min(clocks), max(clocks))
    try:
        accelerators = [_state(nvml, handle) for nvml, handle in _handles()]
    except OSError:
        accelerators = []
    return {**state, "accelerators": accelerators} if accelerators else state


def slowed(state: Mapping[str, Any]) -> str:
    """Why figures taken in this `device_state` are not to be trusted, or an empty string."""
    reasons = sorted({reason for accelerator in state.get("accelerators", ()) for reason in accelerator["slowed_by"]})
    return f"an accelerator was slowed down: {'; '.join(reasons)}" if reasons else ""


def _packages(root: Path) -> list[Counter]:
    """One counter for each processor package: its cores and its memory controller are inside, the platform is not."""
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    packages = [zone for zone in zones if (zone / "name").read_text().startswith("package")]
    return [Counter(_file_reader(zone / "energy_uj"), 1e6, _number(zone / "max_energy_range_uj")) for zone in packages]


def _file_reader(path: Path) -> Callable[[], int]:
    return lambda: int(path.read_text())


def _accelerators() -> list[Counter]:
    return [Counter(_nvml_reader(nvml, handle), 1e3) for nvml, handle in _handles()]


def _nvml_reader(nvml: Any, handle: Any) -> Callable[[], int]:
    return lambda: int(_ask(nvml, "nvmlDeviceGetTotalEnergyConsumption", handle))


def _handles() -> list[tuple[Any, Any]]:
    """NVML and the handle of every accelerator that it sees; empty without ``pynvml``."""
    if find_spec("pynvml") is None:
        return []
    nvml = importlib.import_module("pynvml")
    _ask(nvml, "nvmlInit")
    count = _ask(nvml, "nvmlDeviceGetCount")
    return [(nvml, _ask(nvml, "nvmlDeviceGetHandleByIndex", index)) for index in range(count)]


def _state(nvml: Any, handle: Any) -> dict[str, Any]:
    reasons = _ask(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    return {
        "sm_mhz": _ask(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_SM),
        "memory_mhz": _ask(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_MEM),
        "slowed_by": [reason for bit, reason in REASONS.items() if reasons & bit],
    }


def _ask(nvml: Any, function: str, *arguments: Any) -> Any:
    """NVML's answer; an error of its own, such as no driver, becomes `OSError`."""
    try:
        return getattr(nvml, function)(*arguments)
    except (nvml.NVMLError, AttributeError) as error:
        raise OSError(f"NVML: {error}") from error


def _all_move(counters: Sequence[Counter]) -> bool:
    """Whether every counter goes up within the time that a running one needs; all begin anew at 0 afterwards."""
    still = list(counters)
    for _ in range(5):
        sleep(MOVES_WITHIN_S / 5)
        still = [counter for counter in still if counter.joules() <= 0]
        if not still:
            break
    for counter in counters:
        counter.begin()
    return not still


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
