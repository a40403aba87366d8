"""Folders that are divided, half divided or not, and the file that says which image is where."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runners.datasets.division import divide
from runners.datasets.division_file import division_text
from runners.datasets.image_list import division_rows, find_images, is_divided
from search.request.image_division import keep_division
from spaces.errors import RequestError


def make(folder: Path, count: int = 20, splits: tuple[str, ...] = ("",)) -> Path:
    """Images of the classes ``ant`` and ``bee``, below each of ``splits``; there are half as many bees."""
    for split in splits:
        for name, number in (("ant", count), ("bee", count // 2)):
            (folder / split / name).mkdir(parents=True)
            for index in range(number):
                Image.new("L", (2, 2), index).save(folder / split / name / f"{index}.png")
    return folder


def sizes(folder: Path, division: Path | int = 0) -> dict[str, list[int]]:
    """The number of images of each class in each split."""
    found = find_images(folder, division)
    return {split: np.bincount(images.targets, minlength=2).tolist() for split, images in found.items()}


def test_class_folders_alone_are_divided_class_by_class_and_nothing_is_in_two_splits(tmp_path: Path) -> None:
    folder = make(tmp_path)
    assert sizes(folder) == {"train": [14, 6], "validation": [3, 2], "test": [3, 2]}
    found = find_images(folder)
    names = [name for images in found.values() for name in images.names()]
    assert len(names) == len(set(names)) == 30
    assert found["train"].notes == (
        f"{folder} is not divided: of each class 15% validation, 15% test, and the rest trains, drawn with seed 0",
    )
    assert find_images(folder)["test"].names() == found["test"].names()
    assert find_images(folder, 1)["test"].names() != found["test"].names()


@pytest.mark.parametrize(
    ("splits", "expected", "note"),
    [
        (("train", "val"), {"train": [20, 10], "validation": [10, 5], "test": [10, 5]}, "has no test: half of val"),
        (("train", "test"), {"train": [17, 8], "validation": [3, 2], "test": [20, 10]}, "train, 15% validation are"),
        (("train",), {"train": [14, 6], "validation": [3, 2], "test": [3, 2]}, "15% validation and 15% test are taken"),
        (("train", "valid", "test"), {"train": [20, 10], "validation": [20, 10], "test": [20, 10]}, ""),
        (("val", "test"), {"validation": [20, 10], "test": [20, 10]}, ""),
        (("val",), {"validation": [20, 10]}, ""),
    ],
)
def test_what_is_missing_is_taken_from_another_split_and_told(
    tmp_path: Path, splits: tuple[str, ...], expected: dict[str, list[int]], note: str
) -> None:
    folder = make(tmp_path, splits=splits)
    assert sizes(folder) == expected
    assert note in " ".join(note for images in find_images(folder).values() for note in images.notes)
    assert is_divided(folder) == (not note)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "bee").rename(folder / "train")
    assert sizes(folder)["train"] == [14, 6]


def test_the_division_is_written_down_and_read_back(tmp_path: Path) -> None:
    folder = make(tmp_path / "images")
    text = division_text(division_rows(folder, find_images(folder, 7)))
    assert text.startswith("file,class,split\nant/")
    (tmp_path / "split.csv").write_text(text)
    written, drawn = find_images(folder, tmp_path / "split.csv"), find_images(folder, 7)
    assert {split: images.names() for split, images in written.items()} == {s: i.names() for s, i in drawn.items()}
    Image.new("L", (2, 2)).save(folder / "ant" / "new.png")
    notes = find_images(folder, tmp_path / "split.csv")["validation"].notes
    assert notes == (f"passed over in {folder}: 1 image that split.csv does not name",)


def test_a_search_keeps_the_division_beside_the_data_of_the_home(tmp_path: Path) -> None:
    folder, file = make(tmp_path / "images"), tmp_path / "home" / "splits" / "mine.csv"
    mapping = {"model": "torchvision:resnet18", "data": {"imagefolder": str(folder)}}
    assert keep_division(mapping, file) == f"which image is in which split stands in {file}"
    assert find_images(folder, file)["test"].names() == find_images(folder)["test"].names()
    assert keep_division({**mapping, "data": {"imagefolder": str(folder), "split": str(file)}}, file) == ""
    assert keep_division("digits", file) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,split\n", r"split\.csv has no column class; it needs file, class, split"),
        ("file,class,split\nant/0.png,ant,tain\n", r"split\.csv:2: unknown split 'tain'; .*did you mean 'train'"),
        ("file,class,split\nant/0.png,,train\n", r"split\.csv:2: the class is missing"),
        ("file,class,split\n../0.png,ant,train\n", r"split\.csv:2: \.\./0\.png must be a path below the folder"),
        ("file,class,split\na,ant,train\na,ant,test\n", r"split\.csv names a twice"),
        ("file,class,split\na,ant,train\n", r"split\.csv names 1 class; give at least two"),
        ("file,class,split\na,ant,train\nb,bee,test\n", r"has no train images of the class bee"),
        ("file,class,split\nant/0.png,ant,train\nbee/0.png,bee,train\n", r"has no validation images of the class ant"),
        ("file,class,split\nx,ant,valid\ny,bee,valid\n", r"split\.csv names .*/x, which does not exist"),
        ("file,class,split\nx,ant,val\ny,bee,val\n", r"split\.csv names .*/x, which does not exist"),
        (b"\xff\xfe\x00", r"split\.csv cannot be read as CSV"),
    ],
)
def test_a_written_division_that_is_wrong_is_one_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    folder = make(tmp_path / "images", count=2)
    (tmp_path / "split.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RequestError, match=sentence):
        find_images(folder, tmp_path / "split.csv")


def test_three_images_are_too_few_for_two_classes(tmp_path: Path) -> None:
    folder = make(tmp_path, count=2)
    with pytest.raises(RequestError, match=r"the class ant in .* has 2 examples, and each of train, validation, test"):
        find_images(folder)
    shutil.rmtree(folder / "bee")
    with pytest.raises(RequestError, match=r"holds 1 folder; give one for each class, at least two, or train, val and"):
        find_images(folder)


def test_an_added_example_moves_few_others() -> None:
    names = [f"{number}.png" for number in range(100)]
    before = divide(names, ["one"] * 100, "train", {"test": 0.2})
    after = divide([*names, "new.png"], ["one"] * 101, "train", {"test": 0.2})
    assert len(set(before["test"]) ^ set(after["test"])) <= 2
