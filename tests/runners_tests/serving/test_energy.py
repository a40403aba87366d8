"""Energy counters, read from trees like the one that Linux shows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runners.serving import energy
from runners.serving.energy import Counter, running_counters
from runners.serving.replicas import _energy_mj

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
    """Let these counters run while it is looked whether they do."""

    def run(*files: Path) -> None:
        monkeypatch.setattr(energy, "sleep", lambda seconds: [add(file, 5000) for file in files])

    return run


def test_the_packages_are_added_up_and_their_parts_are_not(tmp_path: Path, running: Callable[..., None]) -> None:
    one, other = zone(tmp_path, "0", "package-0", 10), zone(tmp_path, "1", "package-1", 20)
    parts = [zone(tmp_path, "0:0", "core", 0), zone(tmp_path, "0:1", "dram", 0), zone(tmp_path, "2", "psys", 0)]
    running(one, other, *parts)
    counters = running_counters(tmp_path)
    assert [counter.joules() for counter in counters] == [0.0, 0.0]
    for file, joules in [(one, 3), (other, 4), *((part, 100) for part in parts)]:
        add(file, joules * 1_000_000)
    assert sum(counter.joules() for counter in counters) == pytest.approx(7)
    add(one, 500_000)
    assert sum(counter.joules() for counter in counters) == pytest.approx(7.5)


def test_a_counter_that_goes_round_keeps_counting(tmp_path: Path, running: Callable[..., None]) -> None:
    file = zone(tmp_path, "0", "package-0", RANGE - 1_000_000)
    running(file)
    (counter,) = running_counters(tmp_path)
    for times in (1, 2, 3):
        add(file, RANGE // 2)
        assert counter.joules() == pytest.approx(times * (RANGE // 2) / 1e6)


def test_a_counter_without_a_range_that_runs_backwards_is_an_error(tmp_path: Path) -> None:
    file = zone(tmp_path, "0", "package-0", 10)
    counter = Counter(file, wraps_at=None)
    file.write_text("5")
    with pytest.raises(OSError, match="ran backwards"):
        counter.joules()


def test_a_counter_that_stands_still_is_not_used(tmp_path: Path, running: Callable[..., None]) -> None:
    one = zone(tmp_path, "0", "package-0", 10)
    zone(tmp_path, "1", "package-1", 20)
    running(one)
    assert running_counters(tmp_path) == []


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("<unknown>")])
def test_a_counter_that_cannot_be_read_is_not_used(
    tmp_path: Path, running: Callable[..., None], damage: Callable[[Path], None]
) -> None:
    running(one := zone(tmp_path, "0", "package-0", 10))
    damage(zone(tmp_path, "1", "package-1", 20))
    assert running_counters(tmp_path) == []
    assert one.exists()


def test_a_counter_that_is_shut_later_is_an_error_rather_than_a_figure(
    tmp_path: Path, running: Callable[..., None]
) -> None:
    file = zone(tmp_path, "0", "package-0", 10)
    running(file)
    (counter,) = running_counters(tmp_path)
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        counter.joules()


def test_a_machine_without_counters_has_no_figure(tmp_path: Path) -> None:
    assert running_counters(tmp_path) == []


def test_energy_is_shared_among_the_inputs_served_and_absent_without_a_count(
    tmp_path: Path, running: Callable[..., None]
) -> None:
    file = zone(tmp_path, "0", "package-0", 10)
    running(file)
    counters = running_counters(tmp_path)
    assert _energy_mj([], 10) is None
    assert _energy_mj(counters, 10) is None  # it stood still meanwhile
    add(file, 5_000_000)
    assert _energy_mj(counters, 100) == pytest.approx(50.0)
    file.unlink()
    assert _energy_mj(counters, 100) is None
