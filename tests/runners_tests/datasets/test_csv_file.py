"""Tables as splits: numbers standardised by what trains, texts encoded, classes divided evenly."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runners.datasets.csv_file import csv_data
from spaces.errors import RequestError


def written(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"


def table(folder: Path, rows: int = 40) -> Path:
    lines = [f"{n},{n % 3 * 1.5},{'ab'[n % 2]},{'yes' if n % 4 == 0 else 'no'}" for n in range(rows)]
    return written(folder, "\n".join(["size,weight,kind,sold", *lines]))


def test_a_table_becomes_three_splits(tmp_path: Path) -> None:
    splits = csv_data(table(tmp_path), "weight")
    assert {name: len(split) for name, split in splits.items()} == {"train": 28, "validation": 6, "test": 6}
    assert splits["train"].columns == ("size", "kind=a", "kind=b", "sold=no", "sold=yes")
    inputs, targets = splits["train"].batch(np.arange(28))
    assert (inputs.dtype, inputs.shape) == (np.float32, (28, 5))
    assert (targets.dtype, targets.shape) == (np.float32, (28, 1))
    assert inputs[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert inputs[:, 0].std() == pytest.approx(1, abs=1e-6)
    assert set(inputs[:, 1:].ravel()) == {0, 1}
    assert (inputs[:, 1] + inputs[:, 2] == 1).all()
    formula, kinds = splits["train"].preparation.split("; ")[:2]
    mean, deviation = (float(number) for number in re.findall(r"[\d.]+", formula))
    assert formula.startswith("An input holds, in this order: (size - ")
    sizes = splits["test"].inputs[:, 0] * deviation + mean
    assert sizes == pytest.approx(np.round(sizes), abs=1e-4), "the formula leads back to whole sizes"
    assert splits["train"].preparation.endswith(". It gives weight.")
    assert kinds == "1 or 0 for each of kind=a, kind=b"
    everything = np.concatenate([split.inputs[:, 0] for split in splits.values()])
    assert len(np.unique(everything)) == 40, "no row is in two splits"
    again = csv_data(table(tmp_path), "weight")
    assert splits["test"].fingerprint() == again["test"].fingerprint()
    assert splits["test"].fingerprint() != csv_data(table(tmp_path), "weight", seed=1)["test"].fingerprint()


def test_texts_to_predict_are_classes_with_their_share_in_every_split(tmp_path: Path) -> None:
    splits = csv_data(table(tmp_path), "sold", columns=["size"])
    assert splits["train"].classes == ("no", "yes")
    assert [np.bincount(split.targets).tolist() for split in splits.values()] == [[22, 6], [4, 2], [4, 2]]
    assert splits["test"].targets.dtype == np.int64


def test_numbers_are_classes_where_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y\n" + "\n".join(f"{n},{10 * (n % 2)}" for n in range(12)))
    assert csv_data(path, "y")["train"].targets.dtype == np.float32
    splits = csv_data(path, "y", classes=True)
    assert splits["train"].classes == ("0", "10")
    assert set(splits["train"].targets) == {0, 1}
    assert splits["train"].preparation.endswith(" Outputs are the classes 0, 10, in this order.")


def test_what_training_rows_do_not_have_is_told(tmp_path: Path) -> None:
    rows = [f"{n},red,1,{n}" for n in range(40)]
    splits = csv_data(written(tmp_path, "\n".join(["x,colour,same,y", *rows])), "y")
    odd = int(splits["test"].targets[0, 0])
    rows[odd] = f"{odd},blue,1,{odd}"
    notes = csv_data(written(tmp_path, "\n".join(["x,colour,same,y", *rows])), "y")["train"].notes
    assert [note.partition("table.csv: ")[2] for note in notes] == [
        "no row that trains has colour 'blue'",
        "'same' is the same in every row that trains",
    ]


def test_none_and_na_are_texts_like_others(tmp_path: Path) -> None:
    rows = [f"{number},{('None', 'pool', 'NA')[number % 3]},{('None', 'low')[number % 2]}" for number in range(40)]
    train = csv_data(written(tmp_path, "\n".join([" area,extra ,y", *rows])), "y")["train"]
    assert train.columns == ("area", "extra=NA", "extra=None", "extra=pool")
    assert train.classes == ("None", "low")


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("x,y\n1,2\n", {"target": "z"}, r"has no column 'z'; it has x, y"),
        ("price,y\n1,2\n", {"target": "prize"}, r"has no column 'prize' \(did you mean 'price'\?\)"),
        ("x;y\n1;2\n", {}, r"has no column 'y'.*it has x;y; give separator=';' or another one"),
        ("x,y\n1,2\n,3\n", {}, r"'x' is empty in 1 of 2 rows, first on line 3; fill them, or remove the rows"),
        ("x,y\n1,2\nNA,3\n", {}, r"'x' is empty in 1 of 2 rows, first on line 3"),
        ("x,y\nred,2\n,3\n", {}, r"'x' is empty in 1 of 2 rows, first on line 3"),
        ("x,y\ninf,2\n1,3\n", {}, r"'x' holds infinite numbers"),
        ("x,y\n1,a\n2,a\n3,a\n", {}, r"'y' is 'a' in every row; there must be two classes"),
        ("x,y\n1,a\n2,b\n3,b\n", {}, r"y=a has 1 example, and each of train, validation, test needs one"),
        ("y\n1\n2\n", {}, r"give at least one column to predict from"),
        ("x,y\n1,2\n", {}, r"table\.csv has 1 example"),
        ("x,x,y\n1,2,3\n", {"columns": ["x", "x.1"], "target": "q"}, r"has no column 'q'"),
        ("x,y\n1,a\n2,b\n", {"classes": False}, r"'y' holds texts, which are classes; leave classes=False out"),
        ("", {}, r"table\.csv cannot be read as CSV"),
        ('x,y\n1,2\n"3', {}, r"table\.csv cannot be read as CSV"),
        ("x,y\n" + "\n".join(f"name{n},{n}" for n in range(99)), {}, r"'x' has 69 different texts, .* leave it out"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(
    tmp_path: Path, text: str, options: dict[str, Any], sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RequestError, match=sentence) as refusal:
        csv_data(path, **{"target": "y", **options})
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_or_no_text_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"gone\.csv cannot be read as CSV .*No such file"):
        csv_data(tmp_path / "gone.csv", "y")
    (tmp_path / "table.csv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(RequestError, match=r"table\.csv cannot be read as CSV"):
        csv_data(tmp_path / "table.csv", "y")


def test_further_rows_without_targets_are_encoded_as_those_that_train(tmp_path: Path) -> None:
    path, more = table(tmp_path), tmp_path / "more.csv"
    more.write_text("kind,weight,size\nb,0,7\na,1.5,7\n")
    splits = csv_data(path, "sold", unlabelled=more)
    inputs, targets = splits["unlabelled"].batch(np.arange(2))
    assert targets is None
    whole = {tuple(row) for name in ("train", "validation", "test") for row in splits[name].inputs[:, 1:]}
    assert {tuple(row) for row in inputs[:, 1:]} <= whole, "weights and kinds that occur there have the same numbers"
    assert inputs[0, 0] == inputs[1, 0]
    assert splits["unlabelled"].columns == splits["train"].columns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size,weight\n1,2\n", "more.csv has no column 'kind'"),
        (
            "size,weight,kind\n1,two,a\n",
            "more.csv: 'weight' holds numbers in one of the two files",
        ),
        ("size,weight,kind\n1,,a\n", "more.csv: 'weight' is empty in 1 of 1 rows"),
    ],
)
def test_further_rows_that_do_not_fit_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "more.csv").write_text(text)
    with pytest.raises(RequestError, match=said):
        csv_data(table(tmp_path), "sold", unlabelled=tmp_path / "more.csv")
