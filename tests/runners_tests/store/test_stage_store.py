"""The stage store: whole or absent, verified on every read, safe for several processes."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runners.store.stage_store import StageStore
from spaces.errors import RequestError

KEY = "ab" * 32
ROOT = Path(__file__).resolve().parents[3]


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


def test_processes_that_need_one_key_compute_it_once_and_no_lock_stays(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    processes = [context.Process(target=_compute_once, args=(tmp_path / "store", log)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert log.read_text() == "computed\n"
    assert list((tmp_path / "store" / "locks").iterdir()) == []


def test_threads_hold_a_key_one_after_the_other(tmp_path: Path) -> None:
    store, inside, most = StageStore(tmp_path), [0], [0]

    def hold() -> None:
        for _ in range(25):
            with store.alone(KEY):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert list((tmp_path / "locks").iterdir()) == []


def test_the_lock_of_a_killed_process_is_free_though_its_children_live(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom runners.stages.store import StageStore\n"
        f"with StageStore(Path({str(tmp_path)!r})).alone({KEY!r}):\n"
        "    child = os.fork()\n    if child == 0:\n        time.sleep(600)\n"
        "    print(child, flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        process.stdout.close()
        with StageStore(tmp_path).alone(KEY):
            assert os.path.exists(f"/proc/{child}")
    finally:
        os.kill(child, signal.SIGKILL)


def test_of_two_whole_results_the_first_stays(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    _put(store, text="first")
    first = store.get(KEY)
    with store.unfinished() as folder:
        (folder / "weights.bin").write_text("second")
        given = store.put(KEY, folder, {"macs": 8}, 1.5, {})
    assert given == first
    assert (given.folder / "weights.bin").read_text() == "first"
    assert store.room.quarantined() == []


def test_a_store_that_was_removed_is_made_again(tmp_path: Path) -> None:
    store = StageStore(tmp_path / "store")
    _put(store)
    shutil.rmtree(tmp_path / "store")
    assert store.get(KEY) is None
    with store.in_use("study"), store.alone(KEY):
        _put(store)
    assert store.get(KEY) is not None


def test_what_a_killed_process_left_half_written_is_swept_away_and_what_lives_is_not(tmp_path: Path) -> None:
    store = StageStore(tmp_path)
    script = (
        "import os\nfrom pathlib import Path\nfrom runners.stages.store import StageStore\n"
        f"with StageStore(Path({str(tmp_path)!r})).unfinished() as folder:\n"
        "    (folder / 'half').write_text('x')\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert len(list((tmp_path / "unfinished").iterdir())) == 1
    with store.unfinished() as folder, store.in_use("study"):
        assert list((tmp_path / "unfinished").iterdir()) == [folder.parents[1]]


def test_a_store_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot be written"):
        StageStore(tmp_path / "file" / "store")
