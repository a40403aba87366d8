"""A stage store in a folder: whole or absent, verified on every read, safe for several processes."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runners.store.folder_store import FolderStore
from spaces.errors import RequestError

KEY = "ab" * 32
ROOT = Path(__file__).resolve().parents[3]


def _put(store: FolderStore, key: str = KEY, text: str = "weights") -> None:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_text(text)
        store.put(key, folder, {"macs": 7}, 1.5, {"stage": "training"})


def test_an_entry_comes_back_with_its_files_and_figures(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert store.get(KEY) is None
    _put(store)
    entry = store.get(KEY)
    assert entry is not None
    assert (entry.folder / "weights.bin").read_text() == "weights"
    assert entry.result == {"macs": 7}
    assert entry.seconds == 1.5


def test_what_is_not_put_leaves_nothing_behind(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with store.unfinished() as folder:
        (folder / "half").write_text("x")
    assert store.get(KEY) is None
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_nan_is_not_stored(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(ValueError, match="Out of range"), store.unfinished() as folder:
        store.put(KEY, folder, {"accuracy": float("nan")}, 0.0, {})
    assert store.get(KEY) is None


def test_an_entry_of_another_key_is_no_hit(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    _put(store)
    entry = store.get(KEY)
    assert entry is not None
    other = "cd" * 32
    (tmp_path / "entries" / "cd").mkdir()
    os.rename(entry.folder.parent, tmp_path / "entries" / "cd" / other)
    assert store.get(other) is None


def _put_and_tell(root: Path, number: int, log: Path) -> None:
    _put(FolderStore(root), text=f"computed by {number}")
    entry = FolderStore(root).get(KEY)
    assert entry is not None
    with log.open("a") as file:
        file.write((entry.folder / "weights.bin").read_text() + "\n")


def test_processes_that_put_one_key_at_once_all_get_the_same_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    processes = [context.Process(target=_put_and_tell, args=(tmp_path / "store", n, log)) for n in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    told = log.read_text().splitlines()
    assert len(told) == 6
    assert len(set(told)) == 1
    store = FolderStore(tmp_path / "store")
    assert store.capacity.quarantined() == []
    assert [*(store.root / "unfinished").iterdir(), *(store.root / "users").iterdir()] == []


def test_of_two_whole_results_the_first_stays(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    _put(store, text="first")
    first = store.get(KEY)
    with store.unfinished() as folder:
        (folder / "weights.bin").write_text("second")
        given = store.put(KEY, folder, {"macs": 8}, 1.5, {})
    assert given == first
    assert (given.folder / "weights.bin").read_text() == "first"
    assert store.capacity.quarantined() == []


def test_a_store_that_was_removed_is_made_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    _put(store)
    shutil.rmtree(tmp_path / "store")
    assert store.get(KEY) is None
    with store.in_use("study"):
        _put(store)
    assert store.get(KEY) is not None


@pytest.mark.faults("driver killed")
def test_what_a_killed_process_left_half_written_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    script = (
        "import os\nfrom pathlib import Path\nfrom runners.store.folder_store import FolderStore\n"
        f"with FolderStore(Path({str(tmp_path)!r})).unfinished() as folder:\n"
        "    (folder / 'half').write_text('x')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert len(list((tmp_path / "unfinished").iterdir())) == 1
    dead = {path.name for path in (tmp_path / "users").iterdir()}
    with store.unfinished() as folder, store.in_use("study"):
        assert list((tmp_path / "unfinished").iterdir()) == [folder.parents[1]]
        assert len(dead) == 1
        assert not dead & {path.name for path in (tmp_path / "users").iterdir()}, "its mark is removed too"


def test_a_store_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        FolderStore(tmp_path / "file" / "store")
