"""The state of a machine, read from trees like the one that Linux shows, and from a stand-in for NVML."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from runners.measuring.device_state import device_state, slowed


def test_the_state_of_a_processor_is_its_range_of_clocks_and_its_load(tmp_path: Path) -> None:
    assert set(device_state(tmp_path)) <= {"load_1m", "accelerators"}
    for core, kilohertz in enumerate(["3100000", "800000", "unreadable"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(kilohertz)
    state = device_state(tmp_path)
    assert state["cpu_mhz"] == (800.0, 3100.0)
    assert state["load_1m"] >= 0


class Nvml(ModuleType):
    """Answers as NVML does, for one accelerator."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    class NVMLError(Exception):
        pass

    def __init__(self, driver: bool = True) -> None:
        super().__init__("pynvml")
        self.__spec__ = sys.__spec__
        self.driver = driver

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"handle {index}"

    def nvmlDeviceGetClockInfo(self, handle: str, clock: int) -> int:
        return {1: 1980, 2: 2619}[clock]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:
        return 0x1 | 0x4 | 0x40


def test_accelerators_are_asked_where_nvml_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml())
    reasons = ["power cap set by software", "heat, slowed by hardware"]
    state = device_state(tmp_path)
    assert state["accelerators"] == [{"sm_mhz": 1980, "memory_mhz": 2619, "slowed_by": reasons}]
    assert slowed(state) == "an accelerator was slowed down: heat, slowed by hardware; power cap set by software"


def test_nvml_without_a_driver_is_as_without_nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(driver=False))
    assert "accelerators" not in device_state(tmp_path)


def test_nothing_is_slowed_without_an_accelerator_or_without_a_reason(tmp_path: Path) -> None:
    assert slowed(device_state(tmp_path)) == ""
    assert slowed({"accelerators": [{"sm_mhz": 1980, "slowed_by": []}]}) == ""
