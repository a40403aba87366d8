"""``frontrunner cache``: what the stage store holds, what is removed, and wrong requests."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from search_tests.command import document, frontrunner

from runners.store.folder_store import FolderStore
from runners.store.remote_store import COPIES
from search.request.units import parse_size, size_text
from spaces.setting_error import SettingError

DAY = 86_400


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two trainings and a measurement, used 40, 20 and 0 days ago, and a damaged result."""
    store = FolderStore(tmp_path / "home" / "stages")
    for key, stage, size, days in (
        ("a", "training", 3000, 40),
        ("b", "training", 2000, 20),
        ("c", "measuring", 100, 0),
    ):
        put(store, key * 64, stage, size)
        used = time.time() - days * DAY
        os.utime(store.root / "entries" / (key * 2) / (key * 64) / "manifest.json", (used, used))
    put(store, "d" * 64, "lowering", 10)
    (store.root / "entries" / "dd" / ("d" * 64) / "files" / "weights.bin").write_text("bad")
    assert store.get("d" * 64) is None
    return tmp_path / "home"


def put(store: FolderStore, key: str, stage: str, size: int) -> None:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_bytes(b"x" * size)
        store.put(key, folder, {}, 1.0, {"stage": stage, "configuration": '{"student_width": 0.5}'})


def cache(home: Path, *arguments: str) -> Any:
    return document(frontrunner("cache", *arguments, "--home", home, "--json", cwd=home.parent))


def test_the_size_by_stage_the_limit_and_damaged_results(home: Path) -> None:
    found = cache(home)
    assert found["entries"] == 3
    assert {stage: part["entries"] for stage, part in found["stages"].items()} == {"training": 2, "measuring": 1}
    assert found["stages"]["training"]["bytes"] > 5000
    assert found["limit_bytes"] is None
    assert found["quarantine"]["entries"] == 1
    assert found["in_use_by"] == []
    on_disk = sum(path.stat().st_size for path in (home / "stages").rglob("*") if path.is_file())
    assert found["bytes"] == on_disk


def test_every_entry_is_listed_with_what_a_person_asks_for(home: Path) -> None:
    entries = cache(home, "list")["entries"]
    assert [entry["key"][0] for entry in entries] == ["c", "b", "a"]
    assert entries[2]["stage"] == "training"
    assert entries[2]["configuration"] == {"student_width": 0.5}
    assert time.time() - entries[2]["made"] < 100 < time.time() - entries[2]["used"]


def test_people_get_tables_on_stdout(home: Path) -> None:
    shown = frontrunner("cache", "--home", home, cwd=home.parent)
    assert shown.stderr == ""
    assert all(word in shown.stdout for word in ("training", "measuring", "damaged", "no limit", "KiB"))
    listed = frontrunner("cache", "list", "--home", home, cwd=home.parent, COLUMNS="120").stdout
    assert "aaaaaaaaaaaa" in listed
    assert "40 d ago" in listed
    assert "width=0.5" in listed


def test_no_size_and_no_time_is_cut_on_a_narrow_terminal(home: Path) -> None:
    listed = frontrunner("cache", "list", "--home", home, cwd=home.parent, COLUMNS="60").stdout
    assert "40 d ago" in listed
    assert len(re.findall(r"\d (?:B|KiB)  ", listed)) == 3


def test_a_dry_run_says_what_the_run_then_does(home: Path) -> None:
    foretold = cache(home, "prune", "--older-than", "30d", "--quarantine", "--dry-run")
    assert cache(home)["entries"] == 3
    done = cache(home, "prune", "--older-than", "30d", "--quarantine")
    assert done == {**foretold, "dry_run": False}
    assert [key[0] for key in done["removed"]] == ["a"]
    assert done["quarantine"] == 1
    left = cache(home)
    assert left["entries"] == 2
    assert left["quarantine"]["entries"] == 0


def test_pruning_to_a_size_removes_the_least_recently_used(home: Path) -> None:
    done = frontrunner("cache", "prune", "--to", "2KiB", "--home", home, cwd=home.parent)
    assert re.match(r"freed 5\.\d KiB: 2 results, 0 damaged", done.stdout), done.stdout
    assert [entry["key"][0] for entry in cache(home, "list")["entries"]] == ["c"]


def test_results_that_a_running_study_uses_are_kept_and_the_output_says_so(home: Path) -> None:
    store = FolderStore(home / "stages")
    with store.in_use("study digits"):
        assert store.get("a" * 64) is not None
        assert cache(home)["in_use_by"] == ["study digits"]
        said = frontrunner("cache", "prune", "--to", "0", "--home", home, cwd=home.parent).stdout
    assert "are kept: they were used since study digits began" in said
    assert [entry["key"][0] for entry in cache(home, "list")["entries"]] == ["a"]


def test_a_limit_holds_at_once_and_for_later_results(home: Path) -> None:
    assert cache(home, "limit", "3KiB")["removed"] == ["a" * 64]
    assert cache(home)["limit_bytes"] == 3072
    put(FolderStore(home / "stages"), "e" * 64, "training", 1500)
    assert {entry["key"][0] for entry in cache(home, "list")["entries"]} == {"c", "e"}
    assert cache(home, "limit", "none") == {"limit_bytes": None, "removed": [], "freed_bytes": 0}


def test_a_store_at_a_url_is_shown_too(tmp_path: Path) -> None:
    environment = {COPIES: str(tmp_path / "copies")}
    script = (
        "from runners.store.location import open_store\n"
        f"store = open_store('file://{tmp_path}/far')\n"
        "with store.unfinished() as folder:\n"
        "    (folder / 'w').write_text('x')\n"
        "    store.put('a' * 64, folder, {}, 1.0, {'stage': 'training', 'configuration': '{}'})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, **environment})
    arguments = ("--stage-store", f"file://{tmp_path}/far", "--json")
    assert document(frontrunner("cache", *arguments, cwd=tmp_path, **environment))["stages"]["training"]["entries"] == 1
    assert document(frontrunner("cache", "prune", "--to", "0", *arguments, cwd=tmp_path, **environment))["removed"]
    assert not any(path.is_file() for path in (tmp_path / "far").rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--home", "there is no stage store"]),
        (["list"], ["--home", "there is no stage store"]),
        (["--stage-store", "nowhere"], ["--stage-store nowhere", "there is no stage store"]),
        (["--stage-store", "s3://bucket"], ["--stage-store", "pip install s3fs"]),
        (["prune", "--stage-store", "st"], ["--to", "--older-than", "--quarantine"]),
        (["prune", "--to", "much", "--stage-store", "st"], ["--to much", "20GiB"]),
        (["prune", "--older-than", "long", "--stage-store", "st"], ["--older-than long", "30m"]),
        (["limit", "-5", "--stage-store", "st"], ["-5"]),
        (["limit", "big", "--stage-store", "st"], ["SIZE big", "20GiB"]),
        (["--json", "list"], ["behind the subcommand", "frontrunner cache list"]),
    ],
)
def test_a_wrong_request_is_one_sentence_and_makes_nothing(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    FolderStore(tmp_path / "st")
    done = frontrunner("cache", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["st"]


def test_the_help_of_cache_imports_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['frontrunner', 'cache', '--help']\nfrom search.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "prune" in done.stdout
    assert set(done.stderr.split()) & {"torch", "ray", "optuna", "mlflow", "numpy", "fsspec", "rich"} == set()


@pytest.mark.parametrize(
    ("written", "size"),
    [("0", 0), ("100", 100), ("2KiB", 2048), ("1.5 GiB", 3 * 2**29), ("20GB", 20 * 2**30), ("3t", 3 * 2**40)],
)
def test_a_size_is_read_as_people_write_it(written: str, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "GiB", "-1", "1 x", "nan", "1e3", "9" * 400])
def test_a_wrong_size_is_refused(written: str) -> None:
    with pytest.raises(SettingError, match="such as 500MiB"):
        parse_size(written)


def test_a_size_is_shown_in_the_unit_that_suits_it() -> None:
    sizes = [size_text(size) for size in (0, 1023, 1024, 3 * 2**29, 2**50)]
    assert sizes == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB", "1024.0 TiB"]
