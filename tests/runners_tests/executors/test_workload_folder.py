"""The folder of a workload file, sent to a node that does not have it."""

import shutil
from pathlib import Path

import pytest

from runners.executors import workload_folder
from runners.executors.workload_folder import pack, unpack
from spaces.errors import RequestError


@pytest.fixture
def workload(tmp_path: Path) -> str:
    folder = tmp_path / "mine"
    (folder / "data").mkdir(parents=True)
    (folder / "workload.py").write_text("WORKLOAD = 1\n")
    (folder / "beside.py").write_text("x = 2\n")
    (folder / "data" / "numbers.txt").write_text("1 2 3")
    (folder / ".hidden").write_text("secret")
    (folder / "frontrunner-home").mkdir()
    (folder / "frontrunner-home" / "studies.db").write_text("big")
    return f"{folder}/workload.py:WORKLOAD"


def test_where_the_file_is_here_the_reference_stays(workload: str) -> None:
    assert unpack(workload, pack(workload)) == workload


def test_where_it_is_not_the_whole_folder_is_sent(workload: str) -> None:
    packed = pack(workload)
    file = Path(workload.rpartition(":")[0])
    shutil.rmtree(file.parent)
    there = unpack(workload, packed)
    copy = Path(there.rpartition(":")[0])
    assert there.endswith("workload.py:WORKLOAD")
    assert copy.read_text() == "WORKLOAD = 1\n"
    assert sorted(str(path.relative_to(copy.parent)) for path in copy.parent.rglob("*") if path.is_file()) == [
        "beside.py",
        "data/numbers.txt",
        "workload.py",
    ]
    assert unpack(workload, packed) == there
    shutil.rmtree(copy.parent)


@pytest.mark.parametrize("reference", ["digits", "package.module:NAME", {"model": "torchvision:resnet18"}])
def test_a_reference_to_no_file_sends_nothing(reference: object) -> None:
    assert pack(reference) is None
    assert unpack(reference, None) == reference


def test_a_folder_that_is_too_large_is_refused(workload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_folder, "LARGEST_BYTES", 10)
    with pytest.raises(RequestError, match="too much to send"):
        pack(workload)
