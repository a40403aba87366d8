"""The starter files run together as they are."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runners.training.loop import train
from runners.training.settings import Level, TrainingSettings
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from search.commands.init import STUDY_YAML, WORKLOAD_PY, write_starter_files
from search.request.read_request import from_yaml, merge
from spaces.errors import RequestError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return tmp_path / "new" / "project"


def test_the_starter_files_are_a_study_whose_workload_keeps_the_contract_and_trains(folder: Path) -> None:
    assert write_starter_files(folder) == [folder / "study.yaml", folder / "workload.py"]
    request = merge(from_yaml(folder / "study.yaml"), {})
    workload = resolve(request.workload)
    check_contract(workload)
    assert workload.metric_name == "balanced_accuracy"
    assert fingerprint(workload, request.workload) == fingerprint(workload, request.workload)
    some = workload.splits["train"].batch(np.arange(64))
    small = replace(workload, data=lambda: dict.fromkeys(("train", "validation", "test"), some))
    plan = replace(workload.training, epochs=1, batch_size=64)
    network = workload.model()
    before = network.head.weight.detach().clone()
    train(network, small, Level.whole(TrainingSettings(plan), seed=0))
    assert not torch.equal(before, network.head.weight)


def test_what_the_study_file_offers_in_comments_is_allowed_too(folder: Path) -> None:
    write_starter_files(folder)
    (folder / "images").mkdir()
    lines = STUDY_YAML.splitlines()
    kept = [line for line in lines if not line.startswith(("workload:", "space:", "# Run"))]
    opened = "\n".join(line.removeprefix("# ") if line.startswith("# ") else line for line in kept)
    (folder / "study.yaml").write_text(opened)
    given = from_yaml(folder / "study.yaml")
    assert given["workload"]["model"] == "torchvision:resnet18"
    assert given["space"]["runtime"] == "all"


@pytest.mark.parametrize("name", ["study.yaml", "workload.py"])
def test_a_file_that_is_there_is_never_overwritten(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    (folder / name).write_text("mine")
    with pytest.raises(RequestError, match=f"{name} exists already and is left as it is"):
        write_starter_files(folder)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"cannot be written \(Not a directory\)"):
        write_starter_files(tmp_path / "file" / "below")


def test_the_starter_workload_is_short() -> None:
    tree = ast.parse(WORKLOAD_PY)
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    code = {node.lineno for node in ast.walk(tree) if hasattr(node, "lineno")} - docstrings
    assert len(code) < 40
