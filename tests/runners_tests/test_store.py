"""The stage store: whole or absent, verified on every read, safe for several processes."""

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from runners.stages.store import StageStore
from spaces.errors import RequestError

KEY = "ab" * 32


def _put(store: StageStore, key: str = KEY, text: str = "weights") -> None:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_text(text)
        store.put(key, folder, {"macs": 7}, 1.5, {"stage": "training"})


def test_an_entry_comes_back_with_its_files_and_figures(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    assert store.get(KEY) is None
    _put(store)
    entry = store.get(KEY)
    assert entry is not None
    assert (entry.folder / "weights.bin").read_text() == "weights"
    assert entry.result == {"macs": 7}
    assert entry.seconds == 1.5


def test_what_is_not_put_leaves_nothing_behind(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    with store.unfinished() as folder:
        (folder / "half").write_text("x")
    assert store.get(KEY) is None
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_nan_is_not_stored(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    with pytest.raises(ValueError, match="Out of range"), store.unfinished() as folder:
        store.put(KEY, folder, {"accuracy": float("nan")}, 0.0, {})
    assert store.get(KEY) is None


def test_a_randomly_damaged_entry_is_never_a_hit_and_is_set_aside(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for round_ in range(120):
        store = StageStore(tmp_path / str(round_))
        _put(store, text="weights" * 20)
        entry = store.get(KEY)
        assert entry is not None
        _damage(entry.folder.parent, random)
        assert store.get(KEY) is None
        assert len(list((tmp_path / str(round_) / "quarantine").iterdir())) == 1
        _put(store)
        assert store.get(KEY) is not None


def _damage(folder: Path, random: np.random.Generator) -> None:
    """Flip a byte of the data or the manifest's sums, cut a file short, remove one, or add one."""
    kind, data, manifest = random.integers(0, 6), folder / "files" / "weights.bin", folder / "manifest.json"
    content = bytearray(data.read_bytes())
    if kind == 0:
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        data.write_bytes(content)
    elif kind == 1:
        data.write_bytes(content[: random.integers(len(content))])
    elif kind == 2:
        data.unlink()
    elif kind == 3:
        (folder / "foreign").write_text("x")
    elif kind == 4:
        manifest.write_bytes(manifest.read_bytes()[: random.integers(10, 200)])
    else:
        document = json.loads(manifest.read_text())
        document[str(random.choice(["key", "schema", "result"]))] = "other"
        manifest.write_text(json.dumps(document))


def test_an_entry_of_another_key_is_no_hit(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    _put(store)
    entry = store.get(KEY)
    assert entry is not None
    other = "cd" * 32
    (tmp_path / "entries" / "cd").mkdir()
    os.rename(entry.folder.parent, tmp_path / "entries" / "cd" / other)
    assert store.get(other) is None


def _compute_once(root: Path, log: Path) -> None:
    store = StageStore(root)
    with store.alone(KEY):
        if store.get(KEY) is None:
            with log.open("a") as file:
                file.write("computed\n")
            _put(store)


def test_processes_that_need_one_key_compute_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    processes = [context.Process(target=_compute_once, args=(tmp_path / "store", log)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert log.read_text() == "computed\n"


def test_a_store_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        StageStore(tmp_path / "file" / "store")
