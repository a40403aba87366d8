"""The files of a workload, sent to a node that does not have them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from runners.executors.cluster import workload_folder
from runners.executors.cluster.workload_folder import pack, unpack
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


@pytest.fixture
def study_file(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.py").write_text("import beside\n")
    (tmp_path / "nets" / "beside.py").write_text("x = 2\n")
    (tmp_path / "mine.pt").write_bytes(b"weights")
    (tmp_path / "split.csv").write_text("file,class,split\n")
    data = {"imagefolder": "/data/on/every/node", "split": str(tmp_path / "split.csv")}
    return {"model": f"{tmp_path}/nets/mine.py:make", "data": data, "weights": str(tmp_path / "mine.pt"), "epochs": 3}


def test_the_files_of_a_study_file_are_sent_too(study_file: dict[str, Any], tmp_path: Path) -> None:
    packed = pack(study_file)
    assert unpack(study_file, packed) == study_file
    shutil.rmtree(tmp_path / "nets")
    (tmp_path / "mine.pt").unlink()
    (tmp_path / "split.csv").unlink()
    there = unpack(study_file, packed)
    place, name = there["model"].split(":")
    assert name == "make"
    assert Path(place).with_name("beside.py").read_text() == "x = 2\n"
    assert Path(there["weights"]).read_bytes() == b"weights"
    assert Path(there["data"]["split"]).read_text() == "file,class,split\n"
    assert there["data"]["imagefolder"] == "/data/on/every/node"
    assert there["epochs"] == 3
    assert str(tmp_path) not in str(there)
    shutil.rmtree(Path(there["weights"]).parents[1])


def test_a_program_is_sent_alone_and_one_that_is_too_large_has_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.pt2").write_bytes(b"a program")
    (tmp_path / "large.bin").write_bytes(b"x" * 100)
    workload = {"model": str(tmp_path / "net.pt2"), "data": {"imagefolder": "/data"}}
    monkeypatch.setattr(workload_folder, "LARGEST_BYTES", 10)
    packed = pack(workload)
    monkeypatch.setattr(workload_folder, "LARGEST_BYTES", 5)
    nothing = pack(workload)
    assert unpack(workload, nothing) == workload
    (tmp_path / "net.pt2").unlink()
    copy = Path(unpack(workload, packed)["model"])
    assert [file.name for file in copy.parent.iterdir()] == ["net.pt2"]
    shutil.rmtree(copy.parents[1])
    with pytest.raises(RequestError, match=r"net\.pt2 is not on a node of the cluster and too large to send"):
        unpack(workload, nothing)
