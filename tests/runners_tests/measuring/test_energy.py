"""Energy counters and clocks, read from trees like the one that Linux shows."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from runners.measuring import energy
from runners.measuring.energy import Counter, EnergyMeter, device_state, slowed
from runners.measuring.replicas import _energy_mj

RANGE = 262_143_328_850


def zone(root: Path, number: str, name: str, microjoules: int) -> Path:
    """The folder of one power zone; gives the file with its count."""
    folder = root / "sys/class/powercap" / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder / "energy_uj"


def add(file: Path, microjoules: int) -> None:
    file.write_text(f"{(int(file.read_text()) + microjoules) % (RANGE + 1)}\n")


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these counters run while a meter looks whether they do."""

    def run(*files: Path) -> None:
        monkeypatch.setattr(energy, "sleep", lambda seconds: [add(file, 5000) for file in files])

    return run


def test_the_packages_are_added_up_and_their_parts_are_not(tmp_path: Path, running: Callable[..., None]) -> None:
    one, other = zone(tmp_path, "0", "package-0", 10), zone(tmp_path, "1", "package-1", 20)
    parts = [zone(tmp_path, "0:0", "core", 0), zone(tmp_path, "0:1", "dram", 0), zone(tmp_path, "2", "psys", 0)]
    running(one, other, *parts)
    meter = EnergyMeter.find(tmp_path)
    assert meter is not None
    assert meter.source == "RAPL, 2 packages"
    assert meter.joules() == 0.0
    for file, joules in [(one, 3), (other, 4), *((part, 100) for part in parts)]:
        add(file, joules * 1_000_000)
    assert meter.joules() == pytest.approx(7)
    add(one, 500_000)
    assert meter.joules() == pytest.approx(7.5)


def test_a_counter_that_goes_round_keeps_counting(tmp_path: Path, running: Callable[..., None]) -> None:
    file = zone(tmp_path, "0", "package-0", RANGE - 1_000_000)
    running(file)
    meter = EnergyMeter.find(tmp_path)
    assert meter is not None
    for turn in (1, 2, 3):
        add(file, RANGE // 2)
        assert meter.joules() == pytest.approx(turn * (RANGE // 2) / 1e6)


def test_a_counter_without_a_range_that_runs_backwards_is_an_error() -> None:
    counts = iter([10, 5])
    counter = Counter(lambda: next(counts), 1.0)
    with pytest.raises(OSError, match="ran backwards"):
        counter.joules()


def test_a_counter_that_stands_still_is_no_meter(tmp_path: Path, running: Callable[..., None]) -> None:
    one = zone(tmp_path, "0", "package-0", 10)
    zone(tmp_path, "1", "package-1", 20)
    running(one)
    assert EnergyMeter.find(tmp_path) is None


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("<unknown>")])
def test_a_counter_that_cannot_be_read_is_no_meter(
    tmp_path: Path, running: Callable[..., None], damage: Callable[[Path], None]
) -> None:
    running(one := zone(tmp_path, "0", "package-0", 10))
    damage(zone(tmp_path, "1", "package-1", 20))
    assert EnergyMeter.find(tmp_path) is None
    assert one.exists()


def test_a_counter_that_is_shut_later_is_an_error_rather_than_a_figure(
    tmp_path: Path, running: Callable[..., None]
) -> None:
    file = zone(tmp_path, "0", "package-0", 10)
    running(file)
    meter = EnergyMeter.find(tmp_path)
    assert meter is not None
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        meter.joules()


def test_a_machine_without_counters_has_no_meter(tmp_path: Path) -> None:
    assert EnergyMeter.find(tmp_path) is None


def test_the_state_of_a_processor_is_its_range_of_clocks_and_its_load(tmp_path: Path) -> None:
    assert set(device_state(tmp_path)) <= {"load_1m", "accelerators"}
    for core, kilohertz in enumerate(["3100000", "800000", "unreadable"]):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(kilohertz)
    state = device_state(tmp_path)
    assert state["cpu_mhz"] == (800.0, 3100.0)
    assert state["load_1m"] >= 0


def test_energy_is_shared_among_the_inputs_served_and_absent_without_a_count(
    tmp_path: Path, running: Callable[..., None]
) -> None:
    file = zone(tmp_path, "0", "package-0", 10)
    running(file)
    meter = EnergyMeter.find(tmp_path)
    assert _energy_mj(None, 10) is None
    assert _energy_mj(meter, 10) is None  # it stood still meanwhile
    add(file, 5_000_000)
    assert _energy_mj(meter, 100) == pytest.approx(50.0)
    file.unlink()
    assert _energy_mj(meter, 100) is None


class Nvml(ModuleType):
    """Answers as NVML does, for one accelerator."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    class NVMLError(Exception):
        pass

    def __init__(self, driver: bool = True) -> None:
        super().__init__("pynvml")
        self.__spec__ = sys.__spec__
        self.driver, self.millijoules = driver, 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"handle {index}"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        self.millijoules += 2500
        return self.millijoules

    def nvmlDeviceGetClockInfo(self, handle: str, clock: int) -> int:
        return {1: 1980, 2: 2619}[clock]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:
        return 0x1 | 0x4 | 0x40


def test_accelerators_are_asked_where_nvml_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml())
    meter = EnergyMeter.find(tmp_path, "cuda")
    assert meter is not None
    assert (meter.source, meter.joules()) == ("NVML, 1 accelerator", 2.5)
    reasons = ["power cap set by software", "heat, slowed by hardware"]
    state = device_state(tmp_path)
    assert state["accelerators"] == [{"sm_mhz": 1980, "memory_mhz": 2619, "slowed_by": reasons}]
    assert slowed(state) == "an accelerator was slowed down: heat, slowed by hardware; power cap set by software"
    assert EnergyMeter.find(tmp_path) is None  # the accelerator's energy is not the processor's


def test_nvml_without_a_driver_is_as_without_nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(driver=False))
    assert EnergyMeter.find(tmp_path, "cuda") is None
    assert "accelerators" not in device_state(tmp_path)


def test_nothing_is_slowed_without_an_accelerator_or_without_a_reason(tmp_path: Path) -> None:
    assert slowed(device_state(tmp_path)) == ""
    assert slowed({"accelerators": [{"sm_mhz": 1980, "slowed_by": []}]}) == ""
