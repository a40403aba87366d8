"""Whether two machines have one stage store is seen by a mark in it."""

import errno
from pathlib import Path

import pytest

from runners.store.local_files import LocalFiles
from runners.store.shared_mark import FOLDER, mark_left_in, why_not_reached
from spaces.errors import RequestError


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_whoever_has_the_same_store_finds_the_mark_and_nothing_is_left_of_it(tmp_path: Path, kind: str) -> None:
    store = str(tmp_path / "stages") if kind == "folder" else f"file://{tmp_path}/stages"
    with mark_left_in(store) as mark:
        assert why_not_reached(store, mark) is None
        assert len([*(tmp_path / "stages" / mark).iterdir()]) == 2, "that of the search, and an answer"
    assert [*(tmp_path / "stages" / FOLDER).iterdir()] == []


def test_another_store_under_the_same_name_has_no_mark_and_is_not_made(tmp_path: Path) -> None:
    with mark_left_in(str(tmp_path / "here")) as mark:
        assert why_not_reached(str(tmp_path / "there"), mark) == "what the search wrote there is not there"
        assert not (tmp_path / "there").exists()
        assert why_not_reached(f"file://{tmp_path}/there", mark) == "what the search wrote there is not there"


def test_what_a_kind_of_url_needs_and_has_not_is_the_reason(tmp_path: Path) -> None:
    reason = why_not_reached("no-such-kind://bucket/stages", f"{FOLDER}/1")
    assert reason is not None
    assert "no-such-kind" in reason


def test_a_store_that_can_only_be_read_is_not_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(files: LocalFiles, path: str, content: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with mark_left_in(str(tmp_path)) as mark:
        monkeypatch.setattr(LocalFiles, "write", refuse)
        assert why_not_reached(str(tmp_path), mark) == "it cannot write there: Read-only file system"
        with pytest.raises(RequestError, match=r"^--stage-store .*Read-only file system"), mark_left_in(str(tmp_path)):
            pass
