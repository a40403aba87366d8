"""An entry of the stage store: of ten thousand that were damaged at random, none is taken for whole."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from runners_tests.store.entry_damage import ALL, damage

from runners.runner import StageFailed
from runners.store.entry import DamagedEntry, canonical, parse_manifest
from runners.store.folder_store import FolderStore

pytestmark = pytest.mark.faults("store damaged")

KEY = "ab" * 32
OTHER = "cd" * 32
READS = 10_000


def put(store: FolderStore, key: str, text: str) -> Path:
    """An entry with two files; its folder."""
    with store.unfinished() as folder:
        (folder / "deeper").mkdir()
        (folder / "weights.bin").write_text(f"{text} weights")
        (folder / "deeper" / "model.xml").write_text(f"<{text}/>")
        entry = store.put(key, folder, {"accuracy": 0.9375, "macs": 70123, "note": text}, 12.5, {"stage": "training"})
    return entry.folder.parent


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: ten thousand entries are many for a disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk for certain is another matter than what is read back."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def test_no_damage_of_ten_thousand_is_a_hit_or_a_crash(memory: Path, quick: None) -> None:
    random = np.random.default_rng(20261)
    entry = put(FolderStore(memory / "store"), KEY, "whole")
    put(FolderStore(memory / "other"), OTHER, "foreign").rename(memory / "foreign")
    entry.rename(memory / "whole")
    store, ways = FolderStore(memory / "store"), Counter[str]()
    for _ in range(READS):
        copy_entry(memory / "whole", entry)
        way = damage(entry, random)
        ways[way] += 1
        assert store.get(KEY) is None, f"a wrong hit after {way}"
        assert not os.path.lexists(entry), f"{sorted(os.listdir(entry))} was not set aside after {way}"
    assert set(ways) == {way.__name__ for way in ALL}
    assert len(store.capacity.quarantined()) == READS
    copy_entry(memory / "whole", entry)
    assert store.get(KEY) is not None
    print(f"\n{READS} damaged reads, 0 wrong hits, 0 crashes: {dict(ways.most_common())}")


def copy_entry(source: Path, entry: Path) -> None:
    """As `shutil.copytree`, which takes three times as long."""
    (entry / "files" / "deeper").mkdir(parents=True)
    for name in ("manifest.json", "files/weights.bin", "files/deeper/model.xml"):
        (entry / name).write_bytes((source / name).read_bytes())


@pytest.mark.parametrize("way", ALL, ids=lambda way: way.__name__)
def test_after_every_kind_of_damage_the_result_can_be_put_again(way: object, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    put(FolderStore(tmp_path / "other"), OTHER, "foreign").rename(tmp_path / "foreign")
    way(put(store, KEY, "whole"), np.random.default_rng(1))  # type: ignore[operator]
    put(store, KEY, "again")
    found = store.get(KEY)
    assert found is not None
    assert found.result["note"] == "again"


def test_a_damaged_entry_that_cannot_be_moved_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path)
    entry = put(store, KEY, "whole")
    (entry / "files" / "weights.bin").write_text("other")

    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    assert store.get(KEY) is None
    assert entry.exists()
    assert store.capacity.quarantined() == []


def test_an_entry_that_cannot_be_read_now_is_missing_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    entry = put(store, KEY, "whole")

    def refuse(*arguments: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert store.get(KEY) is None
    assert entry.exists()
    assert store.get(KEY) is not None


def test_a_result_comes_back_as_it_was_stored_whatever_its_keys(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.unfinished() as folder:
        given = store.put(KEY, folder, {"by": {2: "b", 10: "a"}, "f": 0.1 + 0.2, "text": "\u00fc\ud800"}, 1.0, {})
    found = store.get(KEY)
    assert found is not None
    assert found.result == given.result == {"by": {"2": "b", "10": "a"}, "f": 0.1 + 0.2, "text": "\u00fc\ud800"}


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_stage_that_leaves_more_than_files_fails_and_nothing_is_kept(what: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.unfinished() as folder:
        os.mkfifo(folder / "pipe") if what == "pipe" else (folder / "link").symlink_to("/etc/hostname")
        with pytest.raises(StageFailed, match="which is no regular file"):
            store.put(KEY, folder, {}, 0.0, {})
    assert store.get(KEY) is None
    assert list((tmp_path / "unfinished").iterdir()) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "files/../../x", "../x", "manifest.json", "files", "files/a\0b"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(name: str) -> None:
    import hashlib

    manifest = {"schema": 2, "key": KEY, "result": {}, "seconds": 1.0, "files": {name: "0" * 64}}
    raw = canonical({"manifest": manifest, "sha256": hashlib.sha256(canonical(manifest)).hexdigest()})
    with pytest.raises(DamagedEntry, match="names what it must not"):
        parse_manifest(raw, KEY)


def test_a_manifest_is_one_canonical_document_that_people_can_read(tmp_path: Path) -> None:
    entry = put(FolderStore(tmp_path), KEY, "whole")
    document = json.loads((entry / "manifest.json").read_bytes())
    assert document["manifest"]["origin"] == {"stage": "training"}
    assert sorted(document["manifest"]["files"]) == ["files/deeper/model.xml", "files/weights.bin"]
    (entry / "manifest.json").write_text(json.dumps(document, indent=1))
    assert FolderStore(tmp_path).get(KEY) is None, "the same content written in another way is not what was written"
