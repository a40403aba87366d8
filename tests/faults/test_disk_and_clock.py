"""A full disk, files that were cut anywhere, and clocks that step: nothing that was written before is damaged."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import pytest
from search_tests.simulation import drive, make_chains, make_runner, open_table_study

from dashboards.tracking.spool import Spool
from runners.store.folder_store import FolderStore
from search.commands.known_exports import require_trusted
from search.front.history import history
from search.request.locations import Home
from search.study.study import records
from spaces.errors import RequestError

KEY = "a" * 64
ROOT = Path(__file__).resolve().parents[2]


def put(store: FolderStore, key: str = KEY, size: int = 1000) -> None:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_bytes(bytes(size))
        store.put(key, folder, {"size": size}, 1.0, {"inputs": {}})


def limited(code: str, folder: Path, largest_bytes: int) -> subprocess.CompletedProcess[str]:
    """A process that runs ``code`` and can write no file that is larger; for it the disk is full there."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))

    return subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n{code}", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=120,
    )


FULL_STORE = """
import sys
from pathlib import Path
from runners.store.folder_store import FolderStore
store = FolderStore(Path(sys.argv[1]))
assert store.get("a" * 64) is not None
try:
    with store.unfinished() as folder:
        (folder / "weights.bin").write_bytes(bytes(100_000))
        store.put("b" * 64, folder, {}, 1.0, {"inputs": {}})
except OSError as error:
    print("refused", error.errno)
assert store.get("a" * 64) is not None and store.get("b" * 64) is None
"""


@pytest.mark.faults("disk full")
def test_a_store_on_a_full_disk_keeps_what_it_has_and_takes_the_result_once_there_is_room(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(store)
    done = limited(FULL_STORE, tmp_path, 50_000)
    assert (done.returncode, done.stdout.split()[:1]) == (0, ["refused"]), done.stderr
    assert list((tmp_path / "unfinished").iterdir()) == []
    put(store, "b" * 64, 100_000)
    assert store.get("b" * 64) is not None


FULL_SPOOL = """
import sys
from pathlib import Path
from dashboards.tracking.spool import Spool
spool = Spool(Path(sys.argv[1]), "here")
kept = 0
try:
    while True:
        spool.append({"number": kept, "text": "x" * 100})
        kept += 1
except OSError:
    print(kept)
"""


@pytest.mark.faults("disk full")
def test_a_spool_on_a_full_disk_keeps_every_record_that_it_took(tmp_path: Path) -> None:
    done = limited(FULL_SPOOL, tmp_path, 10_000)
    kept = int(done.stdout)
    assert kept > 10
    spool = Spool(tmp_path, "here")
    assert [record["number"] for record, _ in spool.unsent()] == list(range(kept))
    spool.append({"number": kept})
    assert len(spool.unsent()) == kept + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of half a MiB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a disk here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.faults("disk full")
def test_a_study_on_a_disk_that_fills_up_is_whole_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    chains = make_chains()
    study = open_table_study(small_disk, chains.space)
    drive(study, make_runner(), chains, 2)
    before = [(record.number, record.state, record.measurement) for record in records(study)]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1024)):
            pass
    with pytest.raises((optuna.exceptions.StorageInternalError, RequestError, OSError)):
        drive(open_table_study(small_disk, chains.space), make_runner(), chains, 6)
    filler.unlink()
    again = open_table_study(small_disk, chains.space)
    assert [(r.number, r.state, r.measurement) for r in records(again)][:2] == before
    drive(again, make_runner(), chains, 6)
    assert [record.state for record in records(again)].count("running") == 0
    assert len(records(again)) == 6


def cut_everywhere(file: Path, check: Callable[[], Any], times: int = 60) -> int:
    """Call ``check`` with the file cut to each of some lengths, and restore it; how often that was."""
    whole = file.read_bytes()
    lengths = sorted({0, 1, len(whole) - 1, *random.Random(0).choices(range(len(whole)), k=times)})
    for length in lengths:
        file.write_bytes(whole[:length])
        check()
        file.write_bytes(whole)
    return len(lengths)


@pytest.mark.faults("torn write")
@pytest.mark.parametrize("name", ["records.jsonl", "sent.json", "runs.jsonl"])
def test_a_file_of_the_spool_that_was_cut_loses_at_most_what_was_cut(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    spool = Spool(tmp_path, "here")
    for number in range(8):
        spool.append({"number": number})
    spool.sent_until(spool.unsent()[3][1], {1: "run-1"})
    spool.sent_until(spool.unsent()[1][1], {2: "run-2"})
    spool.close()
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def check() -> None:
        opened = Spool(tmp_path, "here")
        numbers = [record["number"] for record, _ in opened.unsent() if record]
        assert numbers == sorted(numbers)
        if name != "records.jsonl":
            assert set(range(6, 8)) <= set(numbers), "what was not sent is sent"
        assert set(opened.sent.runs.items()) <= {(1, "run-1"), (2, "run-2")}
        opened.append({"number": 100})
        assert opened.unsent()[-1][0] == {"number": 100}
        opened.close()
        for path, content in files.items():
            if path.name != name:
                path.write_bytes(content)

    record_property("tried", cut_everywhere(tmp_path / name, check))


@pytest.mark.faults("torn write")
def test_a_manifest_of_the_store_that_was_cut_is_no_entry(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    store = FolderStore(tmp_path)
    put(store)
    manifest = next((tmp_path / "entries").rglob("manifest.json"))
    whole = manifest.read_bytes()
    lengths = random.Random(0).sample(range(len(whole)), 20)
    for length in lengths:
        put(store)
        manifest.write_bytes(whole[:length])
        assert store.get(KEY) is None
    put(store)
    assert store.get(KEY) is not None
    record_property("tried", len(lengths))


@pytest.mark.faults("torn write")
def test_a_note_on_an_export_that_was_cut_trusts_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, code = Home(tmp_path), tmp_path / "workload.py"
    code.write_text("x = 1\n")
    monkeypatch.setattr("search.commands.known_exports.folder_digest", lambda folder: "note")
    monkeypatch.setattr("search.commands.known_exports.model_code", lambda document: ("model.pt2",))
    home.exports.mkdir()
    note = home.exports / "note"
    note.write_text(json.dumps({"folder": "x", "sources": "0" * 64}) + "\n")

    def check() -> None:
        with pytest.raises(RequestError, match="add --trust"):
            require_trusted(tmp_path, None, home, (code,))  # type: ignore[arg-type]

    record_property("tried", cut_everywhere(note, check, 20))


@pytest.mark.faults("torn write")
@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_a_clock_that_steps_gives_no_negative_times_and_loses_no_trial(
    step: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, began = time.time, time.monotonic()
    calls = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + (step if next(calls) % 2 else 0.0))
    chains = make_chains()
    study = open_table_study(tmp_path, chains.space)
    log = drive(study, make_runner(), chains, 5)
    assert [record.state for record in records(study)].count("running") == 0
    found = history(study)
    numbers = [trial[name] for trial in found["trials"] for name in ("began", "ended") if trial[name] is not None]
    numbers += [began for trial in found["trials"] for _, began, _ in trial["times"]]
    assert min(numbers) >= 0
    assert len(log.ended) == len(records(study))
    assert time.monotonic() - began < 60
