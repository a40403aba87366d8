"""A stage store with a limit: what was not used for longest is evicted, and nothing that is in use."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runners.store.eviction_order import StoreEntry, to_evict
from runners.store.folder_store import FolderStore

ROOT = Path(__file__).resolve().parents[3]
KEYS = [digit * 64 for digit in "abcdef"]


def put(store: FolderStore, key: str, size: int = 1000, used: float | None = None) -> None:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_bytes(b"x" * size)
        entry = store.put(key, folder, {}, 1.0, {"stage": "training"})
    if used is not None:
        os.utime(entry.folder.parent / "manifest.json", (used, used))


def kept(store: FolderStore) -> list[str]:
    return sorted(entry.key[0] for entry in store.capacity.entries())


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """With six entries, each used an hour after the one before, long ago."""
    made = FolderStore(tmp_path)
    for hour, key in enumerate(KEYS):
        put(made, key, used=1_700_000_000 + 3600 * hour)
    return made


ENTRIES = [StoreEntry("a", 10, 1.0), StoreEntry("b", 10, 2.0), StoreEntry("c", 10, 3.0), StoreEntry("d", 10, 4.0)]


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ({}, ""),
        ({"most_bytes": 40}, ""),
        ({"most_bytes": 39}, "a"),
        ({"most_bytes": 20}, "ab"),
        ({"most_bytes": 0}, "abcd"),
        ({"most_bytes": 0, "in_use_since": 3.0}, "ab"),
        ({"most_bytes": 20, "pinned": {"a"}}, "bc"),
        ({"most_bytes": 0, "pinned": {"a"}}, "bcda"),
        ({"used_before": 3.0}, "ab"),
        ({"used_before": 3.0, "pinned": {"a"}}, "b"),
        ({"used_before": 9.0, "in_use_since": 2.0}, "a"),
        ({"most_bytes": 30, "used_before": 3.0}, "ab"),
    ],
)
def test_the_least_recently_used_is_evicted_first(asked: dict[str, object], gone: str) -> None:
    chosen = to_evict(ENTRIES, **{"in_use_since": 9.0, **asked})  # type: ignore[arg-type]
    assert "".join(entry.key for entry in chosen) == gone


def test_a_store_over_its_limit_evicts_what_was_not_used_for_longest(store: FolderStore) -> None:
    size = sum(entry.size for entry in store.capacity.entries())
    store.capacity.set_limit(size - 500)  # a manifest is a few bytes longer or shorter, as its clock readings are
    store.get(KEYS[0])
    put(store, "9" * 64)
    assert kept(store) == ["9", "a", "d", "e", "f"]
    assert sum(entry.size for entry in store.capacity.entries()) < size
    assert list((store.root / "unfinished").iterdir()) == []


def test_a_store_without_a_limit_keeps_everything(store: FolderStore) -> None:
    put(store, "9" * 64, size=10**6)
    assert len(kept(store)) == 7


def test_nothing_is_evicted_that_was_read_or_written_since_the_oldest_open_study_began(store: FolderStore) -> None:
    with store.in_use("old study"):
        store.get(KEYS[0])
        with store.in_use("young study"):
            put(store, "9" * 64)
            store.capacity.evict(most_bytes=0)
            assert kept(store) == ["9", "a"]
            assert store.capacity.in_use_by() == ["old study", "young study"]
    store.capacity.evict(most_bytes=0)
    assert kept(store) == []


def test_a_study_whose_process_was_killed_protects_nothing_though_its_children_live(store: FolderStore) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom runners.store.folder_store import FolderStore\n"
        f"store = FolderStore(Path({str(store.root)!r}))\n"
        f"with store.in_use('study'):\n    store.get({KEYS[0]!r})\n"
        "    child = os.fork()\n    if child == 0:\n        time.sleep(600)\n"
        "    print(child, flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        store.capacity.evict(most_bytes=0)
        assert kept(store) == ["a"]
        process.kill()
        process.wait()
        process.stdout.close()
        assert len(list((store.root / "users").iterdir())) == 1
        store.capacity.evict(most_bytes=0)
        assert os.path.exists(f"/proc/{child}")
    finally:
        os.kill(child, signal.SIGKILL)
    assert kept(store) == []
    assert list((store.root / "users").iterdir()) == []


def test_on_a_file_system_without_locks_everyone_may_use_the_store_and_counts_as_alive(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with store.in_use("one"), store.in_use("other"):
        put(store, "9" * 64)
        assert store.capacity.in_use_by() == ["one", "other"]
        store.capacity.evict(most_bytes=0)
        assert kept(store) == ["9"]
    assert list((store.root / "users").iterdir()) == []


def test_what_the_front_of_a_finished_study_needs_is_evicted_last(store: FolderStore) -> None:
    store.capacity.pin("study", [KEYS[0], KEYS[1]])
    store.capacity.evict(used_before=2e9)
    assert kept(store) == ["a", "b"]
    store.capacity.pin("study", [KEYS[1]])
    store.capacity.evict(most_bytes=2000)
    assert kept(store) == ["b"]


def test_an_entry_that_is_read_while_it_is_evicted_comes_back(store: FolderStore) -> None:
    (chosen,) = [entry for entry in store.capacity.entries() if entry.key == KEYS[0]]
    assert store.get(KEYS[0]) is not None
    assert not store.capacity.remove(chosen)
    assert store.get(KEYS[0]) is not None


def test_a_dry_run_removes_nothing(store: FolderStore) -> None:
    assert [entry.key[0] for entry in store.capacity.evict(most_bytes=0, dry_run=True)] == list("abcdef")
    assert len(kept(store)) == 6


def test_folders_that_are_no_entries_are_left_alone(store: FolderStore) -> None:
    (store.root / "entries" / "aa" / "notes").mkdir()
    store.capacity.evict(most_bytes=0)
    assert (store.root / "entries" / "aa" / "notes").is_dir()


def test_what_was_set_aside_is_counted_and_can_be_removed(store: FolderStore) -> None:
    (store.root / "entries" / "aa" / KEYS[0] / "files" / "weights.bin").write_bytes(b"y")
    assert store.get(KEYS[0]) is None
    assert [entry.key[:16] for entry in store.capacity.quarantined()] == ["a" * 16]
    store.capacity.empty_quarantine()
    assert store.capacity.quarantined() == []
