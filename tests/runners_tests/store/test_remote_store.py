"""A stage store at a URL: what one machine computed another finds, whatever fails on the way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from runners_tests.store.flaky_files import FlakyFiles

from runners.runner import StageTask
from runners.stages.run import run_stage
from runners.store import remote_eviction, remote_files, remote_store
from runners.store.location import open_store
from runners.store.remote_files import RemoteFiles, Unreachable
from runners.store.remote_store import COPIES, RemoteStore
from spaces.errors import RequestError

KEY, OTHER = "ab" * 32, "cd" * 32


class Machines:
    """Opens the store as one of several machines, each with a working copy of its own."""

    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url, self.folder, self._patch = url, folder, monkeypatch

    def open(self, name: str) -> RemoteStore:
        self._patch.setenv(COPIES, str(self.folder / name))
        made = open_store(self.url)
        assert isinstance(made, RemoteStore)
        return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_files, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(remote_store, "REACH_PAUSES_S", (0.0,))


@pytest.fixture
def flaky(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    FlakyFiles.store.clear()
    FlakyFiles.log.clear()
    FlakyFiles.fault = None
    yield Machines("flaky://bucket/stages", tmp_path, monkeypatch)
    FlakyFiles.fault = None


@pytest.fixture(params=["file", "flaky"])
def machines(request: pytest.FixtureRequest, flaky: Machines, tmp_path: Path) -> Machines:
    if request.param == "file":
        flaky.url = f"file://{tmp_path}/at a distance/stages"
    return flaky


def put(store: RemoteStore, key: str = KEY, text: str = "weights") -> None:
    with store.unfinished() as folder:
        (folder / "deeper").mkdir()
        (folder / "deeper" / "weights.bin").write_text(text)
        store.put(key, folder, {"note": text}, 1.5, {"stage": "training", "configuration": "{}"})


def text_of(store: RemoteStore, key: str = KEY) -> str | None:
    entry = store.get(key)
    return None if entry is None else (entry.folder / "deeper" / "weights.bin").read_text()


def remote_paths(part: str) -> list[str]:
    return sorted(path for path in FlakyFiles.store if part in path)


def fail(operation: str, part: str = "", times: int = 10**6, error: BaseException | None = None) -> None:
    left = [times]

    def fault(asked: str, path: str) -> BaseException | None:
        if asked == operation and part in path and left[0] > 0:
            left[0] -= 1
            return error or ConnectionError("the line is dead")
        return None

    FlakyFiles.fault = fault


def test_what_one_machine_put_another_finds_in_a_folder_of_its_own(machines: Machines) -> None:
    assert text_of(machines.open("one")) is None
    put(machines.open("one"))
    entry = machines.open("two").get(KEY)
    assert entry is not None
    assert entry.folder.is_relative_to(machines.folder / "two")
    assert text_of(machines.open("two")) == "weights"
    assert entry.result == {"note": "weights"}


def test_an_entry_is_fetched_once_and_the_manifest_is_sent_last(flaky: Machines) -> None:
    put(flaky.open("one"))
    sent = [path for operation, path in FlakyFiles.log if operation in ("upload", "write") and "/entries/" in path]
    assert [path.rpartition("/")[2] for path in sent] == ["weights.bin", "manifest.json"]
    for _ in range(3):
        assert text_of(flaky.open("two")) == "weights"
    assert sum(operation == "download" for operation, _ in FlakyFiles.log) == 1


@pytest.mark.faults("torn write")
def test_an_upload_that_breaks_off_leaves_no_entry_and_the_next_read_here_completes_it(flaky: Machines) -> None:
    for operation, part in (("upload", "weights"), ("write", "manifest")):
        FlakyFiles.store.clear()
        here = flaky.open(f"one-{operation}")
        fail(operation, part)
        with pytest.raises(Unreachable, match=r"flaky://bucket/stages does not answer: ConnectionError: the line is"):
            put(here)
        assert text_of(flaky.open(f"two-{operation}")) is None
        FlakyFiles.fault = None
        assert text_of(here) == "weights"
        assert text_of(flaky.open(f"two-{operation}")) == "weights"


def test_what_fails_now_and_then_is_tried_again(flaky: Machines) -> None:
    for operation in ("upload", "write", "read", "download"):
        FlakyFiles.store.clear()
        fail(operation, times=2)
        put(flaky.open(f"one-{operation}"))
        fail(operation, times=2)
        assert text_of(flaky.open(f"two-{operation}")) == "weights"


def test_without_an_answer_what_is_here_is_used_and_the_rest_is_not_taken_for_missing(flaky: Machines) -> None:
    here = flaky.open("one")
    put(here)
    FlakyFiles.fault = lambda operation, path: TimeoutError()
    assert text_of(here) == "weights"
    assert run_stage(StageTask("training", KEY, {}, {}, "digits", 0), here).from_store
    with pytest.raises(Unreachable, match="does not answer: TimeoutError"):
        flaky.open("two").get(KEY)
    with pytest.raises(RequestError, match="check the address and the credentials"), here.in_use("study"):
        pass


@pytest.mark.parametrize("what", ["weights.bin", "manifest.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_an_entry_that_went_bad_there_is_set_aside_and_made_again(what: str, how: str, flaky: Machines) -> None:
    put(flaky.open("one"))
    (path,) = remote_paths(what)
    content = FlakyFiles.store[path].getvalue()
    if how == "gone":
        del FlakyFiles.store[path]
    else:
        spoilt = content[:-2] if how == "cut" else bytes([content[0] ^ 1]) + content[1:]
        FlakyFiles(skip_instance_cache=True).pipe_file(path, spoilt)
    other = flaky.open("two")
    assert text_of(other) is None
    assert remote_paths("manifest.json") == []
    put(other, text="again")
    assert text_of(flaky.open("three")) == "again"
    assert list((other.root / "quarantine").iterdir()) == []


@pytest.mark.faults("store damaged")
def test_a_transfer_that_spoils_a_file_once_is_repeated(flaky: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    put(flaky.open("one"))
    whole, spoilt = RemoteFiles.download, []

    def download(folder: RemoteFiles, path: str, file: Path) -> None:
        whole(folder, path, file)
        if not spoilt:
            spoilt.append(path)
            file.write_text("noise")

    monkeypatch.setattr(RemoteFiles, "download", download)
    assert text_of(flaky.open("two")) == "weights"
    assert spoilt
    assert remote_paths("quarantine") == []


def test_of_two_that_send_one_key_at_once_the_last_stays_whole(flaky: Machines) -> None:
    one, two = flaky.open("one"), flaky.open("two")
    raced = []

    def fault(operation: str, path: str) -> None:
        if operation == "write" and "manifest" in path and not raced:
            raced.append(path)
            put(two, text="faster, and longer")

    FlakyFiles.fault = fault
    put(one, text="slow")
    assert raced
    assert text_of(flaky.open("three")) == "slow"
    assert (text_of(one), text_of(two)) == ("slow", "faster, and longer")


def test_a_foreign_entry_under_a_key_is_no_hit(flaky: Machines) -> None:
    put(flaky.open("one"))
    for path in remote_paths("entries"):
        FlakyFiles.store[path.replace(KEY, OTHER).replace("/ab/", "/cd/")] = FlakyFiles.store.pop(path)
    assert flaky.open("two").get(OTHER) is None


@pytest.mark.faults("hostile file")
def test_a_manifest_that_names_a_file_outside_writes_nothing_there(flaky: Machines, tmp_path: Path) -> None:
    import hashlib

    from runners.store.entry import canonical

    manifest = {"schema": 2, "key": KEY, "result": {}, "seconds": 1.0, "files": {"files/../../../escaped": "0" * 64}}
    raw = canonical({"manifest": manifest, "sha256": hashlib.sha256(canonical(manifest)).hexdigest()})
    FlakyFiles(skip_instance_cache=True).pipe_file(f"/bucket/stages/entries/ab/{KEY}/manifest.json", raw)
    assert flaky.open("two").get(KEY) is None
    assert not any(operation == "download" for operation, _ in FlakyFiles.log)


def test_an_address_without_a_bucket_is_one_sentence_and_makes_none(
    flaky: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FlakyFiles, "async_impl", True)
    fail("write", error=FileNotFoundError("The specified bucket does not exist"))
    here = flaky.open("one")
    with pytest.raises(RequestError, match=r"nothing to write into \(The specified"), here.in_use("study"):
        pass
    assert FlakyFiles.store == {}


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    here = Machines(f"file://{tmp_path}/file/remote", tmp_path, monkeypatch).open("one")
    with pytest.raises(RequestError, match="does not answer"), here.in_use("study"):
        pass


def test_what_a_study_on_this_machine_used_stays_there_and_here(flaky: Machines) -> None:
    here = flaky.open("one")
    put(here, OTHER)
    with here.in_use("study"):
        put(here, KEY)
        assert here.capacity.in_use_by() == ["study"]
        assert [entry.key for entry in here.capacity.evict(most_bytes=0)] == [OTHER]
        assert text_of(here) == "weights"
    here.capacity.evict(most_bytes=0)
    assert remote_paths("entries") == []
    assert list((here.root / "entries").glob("*/*")) == [], "the copy here goes too"
    assert remote_paths("uses") == []


def test_the_front_of_a_finished_study_is_evicted_last_there_too(flaky: Machines) -> None:
    here = flaky.open("one")
    for key in (KEY, OTHER):
        put(here, key)
    here.capacity.pin("study", [KEY])
    size = max(entry.size for entry in here.capacity.entries())
    assert [entry.key for entry in flaky.open("two").capacity.evict(most_bytes=size)] == [OTHER]


def test_a_limit_holds_there_and_for_the_copies(flaky: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_eviction, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(remote_eviction, "UNUSED_S", 0.0)
    here = flaky.open("one")
    put(here, OTHER)
    here.capacity.set_limit(1)
    with here.in_use("study"):
        put(here, KEY)
    assert [entry.key for entry in here.capacity.entries()] == [KEY]
    assert not (here.root / "entries" / "cd" / OTHER).exists()


def test_a_limit_leaves_what_another_machine_used_today(flaky: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_eviction, "CHECK_EVERY_S", 0.0)
    here = flaky.open("one")
    put(flaky.open("two"), OTHER)
    here.capacity.set_limit(1)
    put(here, KEY)
    assert sorted(entry.key for entry in here.capacity.entries()) == [KEY, OTHER]
    monkeypatch.setattr(remote_eviction, "UNUSED_S", 0.0)
    put(here, KEY)
    assert OTHER not in {entry.key for entry in here.capacity.entries()}


def test_the_size_is_looked_at_now_and_then(flaky: Machines) -> None:
    here = flaky.open("one")
    here.capacity.set_limit(1)
    put(here, KEY)
    FlakyFiles.log.clear()
    put(here, OTHER)
    assert not any(operation == "find" for operation, _ in FlakyFiles.log)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://bucket/x", "pip install s3fs"),
        ("gs://bucket", "pip install gcsfs"),
        ("sftp://me:secret@host/x", "pip install paramiko"),
        ("nope://x", "Protocol not known: nope"),
    ],
)
def test_a_kind_of_url_that_cannot_be_had_is_one_sentence_with_what_to_do(url: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as refused:
        open_store(url)
    assert "--stage-store" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_working_copy_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = open_store(f"file://{tmp_path}/remote")
    assert store.root.is_relative_to(tmp_path / "cache" / "frontrunner")
    assert not os.path.exists(tmp_path / "remote")
