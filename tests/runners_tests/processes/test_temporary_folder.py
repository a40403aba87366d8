"""The folder of temporary files: one that cannot be used is named, and sockets get one with a short path."""

import tempfile
from pathlib import Path

import pytest

from runners.processes import temporary_folder
from runners.processes.fork_server import forkserver
from runners.processes.fresh_process import call_fresh
from runners.processes.temporary_folder import SHORT, folder_for_sockets, require_temporary_folder
from spaces.errors import RequestError


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / ("a" * 100)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_folder_is_used_where_sockets_fit_into_it_to_the_last_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    room = temporary_folder.LONGEST_SOCKET_PATH - len(f"{tmp_path}/")
    assert folder_for_sockets("x" * room) == tmp_path
    assert folder_for_sockets("x" * (room + 1)) == SHORT


def test_without_a_short_folder_a_long_one_is_refused(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder_for_sockets("socket") == SHORT
    monkeypatch.setattr(temporary_folder, "SHORT", tmp_path / "none")
    with pytest.raises(RequestError, match=f"TMPDIR={long}: is too long for sockets; .* at most 100 characters"):
        folder_for_sockets("socket")


def test_a_fresh_process_starts_in_spite_of_a_long_folder_and_uses_it_for_its_files(long: Path) -> None:
    forkserver._forkserver._stop()
    assert call_fresh(tempfile.gettempdir, what="it") == str(long)


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
@pytest.mark.parametrize("given", ["none", "file"])
def test_a_folder_that_cannot_be_written_is_named(
    variable: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    require_temporary_folder()
    monkeypatch.setenv(variable, str(tmp_path / given))
    with pytest.raises(RequestError, match=f"{variable}={tmp_path / given}: cannot be written"):
        require_temporary_folder()


def test_a_machine_without_any_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(RequestError, match=r"no folder for temporary files \(No usable .*TMPDIR"):
        require_temporary_folder()
