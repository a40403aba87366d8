"""A stage store through puts, reads, damage, evictions and processes that are killed between any two steps."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from runners.store import entry as entries
from runners.store import folder_store
from runners.store.entry import read_entry
from runners.store.eviction import place_of
from runners.store.folder_store import FolderStore

pytestmark = pytest.mark.faults("store damaged")

KEYS = [f"{number}" * 64 for number in "abc"]
KINDS = ("flipped", "cut", "gone", "new", "linked", "manifest")


class Killed(BaseException):
    """The process that writes is gone."""


class Stored(RuleBasedStateMachine):
    """What a read gives is what was put under that key, or nothing; what nobody touched is there."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.store = FolderStore(self.root / "store")
        self.sure: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(key=st.sampled_from(KEYS))
    def put(self, key: str) -> None:
        with self.store.unfinished() as folder:
            write_stage(folder, key)
            stored = self.store.put(key, folder, {"key": key}, 1.0, {"inputs": {}})
        assert stored.result == {"key": key}
        self.sure.add(key)

    @rule(key=st.sampled_from(KEYS), step=st.integers(0, 20))
    def put_and_be_killed(self, key: str, step: int) -> None:
        """What is on the disk at a step stays; nothing that the process would clean up is cleaned up."""
        with killed_at(self.root, step) as was_killed, self.store.unfinished() as folder:
            write_stage(folder, key)
            self.store.put(key, folder, {"key": key}, 1.0, {"inputs": {}})
        if not was_killed:
            self.sure.add(key)

    @rule(key=st.sampled_from(KEYS), kind=st.sampled_from(KINDS), seed=st.integers(0, 1000))
    def damage(self, key: str, kind: str, seed: int) -> None:
        place = self.store.root / place_of(key)
        if place.is_dir():
            damage_entry(place, kind, np.random.default_rng(seed))
            self.sure.discard(key)

    @rule(key=st.sampled_from(KEYS))
    def remove(self, key: str) -> None:
        shutil.rmtree(self.store.root / place_of(key), ignore_errors=True)
        self.sure.discard(key)

    @rule()
    def another_process_begins(self) -> None:
        self.store = FolderStore(self.root / "store")
        with self.store.in_use("study"):
            assert list((self.store.root / "unfinished").glob("*")) == []

    @invariant()
    def a_read_gives_what_was_put_or_nothing(self) -> None:
        for key in KEYS:
            found = self.store.get(key)
            if found is None:
                assert key not in self.sure, "it was put, and nobody touched it"
                continue
            assert found.result == {"key": key}
            assert (found.folder / "weights.bin").read_bytes() == key.encode()
            assert sorted(path.name for path in found.folder.rglob("*")) == ["deeper", "model.xml", "weights.bin"]
            assert read_entry(self.store.root / place_of(key), key) == found


def write_stage(folder: Path, key: str) -> None:
    """The files of the one stage that has this key."""
    (folder / "deeper").mkdir()
    (folder / "weights.bin").write_bytes(key.encode())
    (folder / "deeper" / "model.xml").write_text("<net/>")


def damage_entry(place: Path, kind: str, random: np.random.Generator) -> None:
    """Change something in an entry, so that it is no longer what was put."""
    file = place / "files" / "weights.bin"
    if kind == "flipped" and file.is_file():
        content = bytearray(file.read_bytes() or b"x")
        content[random.integers(len(content))] ^= 1
        file.write_bytes(content)
    elif kind == "cut" and file.is_file():
        os.truncate(file, 3)
    elif kind == "gone":
        file.unlink(missing_ok=True)
    elif kind == "new":
        (place / "files" / "new").write_text("x")
    elif kind == "linked":
        file.unlink(missing_ok=True)
        file.symlink_to("/etc/hostname")
    else:
        (place / "manifest.json").write_text("{}")


@contextmanager
def killed_at(root: Path, step: int) -> Iterator[list[int]]:
    """Take away what happens in the block after so many syncs and renames; what it yields says whether any did."""
    steps, was_killed, snapshot = iter(range(1000)), [], root / "snapshot"
    sync, rename = entries.sync, os.rename

    def counted(call: Callable[..., None]) -> Callable[..., None]:
        def step_then(*given: object) -> None:
            if next(steps) == step:
                shutil.copytree(root / "store", snapshot, symlinks=True)
                was_killed.append(step)
                raise Killed
            return call(*given)

        return step_then

    entries.sync = folder_store.sync = counted(sync)
    os.rename = counted(rename)
    try:
        yield was_killed
    except Killed:
        pass
    finally:
        entries.sync = folder_store.sync = sync
        os.rename = rename
        if was_killed:
            shutil.rmtree(root / "store")
            snapshot.rename(root / "store")


def test_a_store_gives_what_was_put_or_nothing() -> None:
    run_state_machine_as_test(
        Stored, settings=settings(max_examples=12, stateful_step_count=10, deadline=None, derandomize=True)
    )
