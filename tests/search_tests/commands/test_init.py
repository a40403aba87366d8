"""The starter files run together as they are."""

import ast
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from runners.training.loop import train
from runners.training.settings import Level, TrainingSettings
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from search.commands.init import STUDY_YAML, WORKLOAD_PY, write_first_study, write_starter_files
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


def image_folder(folder: Path, sides: tuple[int, ...] = (12, 12)) -> Path:
    """A folder with two classes in three splits, each class with an image of each side."""
    for shade, (split, name) in enumerate(product(("train", "val", "test"), ("cracked", 'it\'s: "whole"'))):
        (folder / split / name).mkdir(parents=True)
        for index, side in enumerate(sides):
            Image.new("RGB", (side, side), (40 * shade, 100 * index, 0)).save(folder / split / name / f"{index}.png")
    return folder


def test_a_study_of_a_folder_of_images_is_filled_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = folder.parent
    here.mkdir()
    monkeypatch.chdir(here)
    image_folder(here / "my parts")
    write_first_study(Path("project"), "torchvision:resnet18", Path("my parts"))
    said = capsys.readouterr().err.splitlines()
    found = '2 classes: cracked, it\'s: "whole"; images: 4 train, 4 validation, 4 test, all 12x12 pixels'
    assert said == [f"found {found}", "wrote project/study.yaml"]
    assert [path.name for path in folder.iterdir()] == ["study.yaml"]
    text = (folder / "study.yaml").read_text()
    assert found in text
    assert 'imagefolder: "../my parts"' in text
    request = merge(from_yaml(folder / "study.yaml"), {})
    assert request.study == "resnet18-my-parts"
    assert request.workload == {
        "model": "torchvision:resnet18",
        "data": {"imagefolder": str(here / "my parts")},
        "epochs": 20,
        "batch_size": 128,
    }
    check_contract(resolve(request.workload))


def test_what_it_offers_in_comments_is_allowed_too(folder: Path) -> None:
    images = image_folder(folder / "images", sides=(12, 16))
    write_first_study(folder, "torchvision:vgg11", images)
    text = (folder / "study.yaml").read_text()
    assert f"imagefolder: {images}\n" in text
    assert "of several sizes or not square" in text
    lines = [line for line in text.splitlines() if not line.startswith(("space:", "# Run"))]
    opened = [re.sub(r"^( *)# (?!\d)", r"\1", line) for line in lines]
    (folder / "study.yaml").write_text("\n".join(opened))
    given = from_yaml(folder / "study.yaml")
    assert {"weights", "image_size", "learning_rate"} <= given["workload"].keys()
    assert given["space"]["runtime"] == "all"


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        ("torchvision:resnet18", None, r"^--from torchvision:resnet18: give --data DIR too"),
        (None, "images", r"^--data images: give --from too"),
        ("resnet18", "images", r"^--from resnet18: give torchvision: and a model's name"),
        ("torchvision:resnet81", "images", r"^--from torchvision:resnet81: .* \(did you mean 'resnet18'\?\)"),
        ("torchvision:resnet18", "gone", r"^--data gone: there is no folder .*gone; give the one that holds train"),
        ("torchvision:resnet18", ".", r"^--data \.: .* holds bad/train, so its folders are no classes; give .*/bad"),
        ("torchvision:resnet18", "one", r"^--data one: .*one/train holds 1 folder; give one for each class"),
        ("torchvision:resnet18", "odd", r"^--data odd: .*the class more is in train and not in validation"),
        ("torchvision:resnet18", "bad", r"^--data bad: .*0\.png cannot be read as an image"),
    ],
)
def test_what_is_no_model_or_no_folder_of_images_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None, data: str | None, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    image_folder(tmp_path / "images")
    (tmp_path / "one" / "train" / "alone").mkdir(parents=True)
    (image_folder(tmp_path / "odd") / "train" / "more").mkdir()
    (image_folder(tmp_path / "bad") / "test" / "cracked" / "0.png").write_bytes(b"no image")
    with pytest.raises(RequestError, match=sentence) as refusal:
        write_first_study(Path("new"), model, None if data is None else Path(data))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_not_divided_gets_a_file_that_says_which_image_is_in_which_split(tmp_path: Path) -> None:
    for name, shade in product(("cracked", "whole"), range(6)):
        (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
        Image.new("L", (12, 12), shade).save(tmp_path / "images" / name / f"{shade}.png")
    write_first_study(tmp_path / "new", "torchvision:squeezenet1_1", tmp_path / "images")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["split.csv", "study.yaml"]
    lines = (tmp_path / "new" / "split.csv").read_text().splitlines()
    assert lines[0] == "file,class,split"
    assert len(lines) == 13
    assert sum(line.endswith("train") for line in lines) == 8
    workload = merge(from_yaml(tmp_path / "new" / "study.yaml"), {}).workload
    assert workload["data"] == {"imagefolder": str(tmp_path / "images"), "split": str(tmp_path / "new" / "split.csv")}
    assert [len(split) for split in resolve(workload).splits.values()] == [8, 2, 2]
