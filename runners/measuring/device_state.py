"""The clocks and the load of a machine; what cannot be known is absent."""

import importlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

THROTTLE_REASONS = {
    0x4: "power cap set by software",
    0x8: "slowdown by hardware",
    0x20: "heat, slowed by software",
    0x40: "heat, slowed by hardware",
    0x80: "power brake",
}
"""Bits of NVML's reasons for a lowered clock for which a measurement is not to be trusted; being idle is not one."""


def device_state(root: Path = Path("/")) -> dict[str, Any]:
    """What may explain a slow measurement: ``load_1m``, ``cpu_mhz`` as (slowest, fastest core), ``accelerators``.

    Each accelerator has ``sm_mhz``, ``memory_mhz`` and ``slowed_by``; they are seen where ``pynvml`` is installed.
    What cannot be known has no key. ``root`` is where the machine's ``sys`` is.
    """
    state: dict[str, Any] = {"load_1m": round(os.getloadavg()[0], 2)}
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    clocks = [clock for file in files if (clock := _mhz(file)) is not None]
    if clocks:
        state["cpu_mhz"] = (min(clocks), max(clocks))
    try:
        accelerators = _accelerators()
    except OSError:
        accelerators = []
    return {**state, "accelerators": accelerators} if accelerators else state


def slowed(state: Mapping[str, Any]) -> str:
    """Why figures taken in this `device_state` are not to be trusted, or an empty string."""
    reasons = sorted({reason for accelerator in state.get("accelerators", ()) for reason in accelerator["slowed_by"]})
    return f"an accelerator was slowed down: {'; '.join(reasons)}" if reasons else ""


def _mhz(file: Path) -> float | None:
    try:
        return int(file.read_text()) / 1e3
    except (OSError, ValueError):
        return None


def _accelerators() -> list[dict[str, Any]]:
    if find_spec("pynvml") is None:
        return []
    nvml = importlib.import_module("pynvml")
    _ask(nvml, "nvmlInit")
    count = _ask(nvml, "nvmlDeviceGetCount")
    return [_accelerator(nvml, _ask(nvml, "nvmlDeviceGetHandleByIndex", index)) for index in range(count)]


def _accelerator(nvml: Any, handle: Any) -> dict[str, Any]:
    reasons = _ask(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    return {
        "sm_mhz": _ask(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_SM),
        "memory_mhz": _ask(nvml, "nvmlDeviceGetClockInfo", handle, nvml.NVML_CLOCK_MEM),
        "slowed_by": [reason for bit, reason in THROTTLE_REASONS.items() if reasons & bit],
    }


def _ask(nvml: Any, function: str, *arguments: Any) -> Any:
    """NVML's answer; an error of its own, such as no driver, becomes `OSError`."""
    try:
        return getattr(nvml, function)(*arguments)
    except (nvml.NVMLError, AttributeError) as error:
        raise OSError(f"NVML: {error}") from error
