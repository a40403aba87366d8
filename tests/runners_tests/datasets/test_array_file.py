"""Arrays in files of NumPy and of safetensors as splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from runners.datasets.array_file import array_data
from spaces.errors import RequestError

X, Y = np.arange(80, dtype=np.float64).reshape(40, 2), np.arange(40) % 2


def sizes(splits: Any) -> list[int]:
    return [len(splits[name]) for name in ("train", "validation", "test")]


def test_arrays_are_divided_class_by_class(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=X, targets=Y)
    splits = array_data(tmp_path / "data.npz")
    assert sizes(splits) == [28, 6, 6]
    assert [int(split.targets.sum()) for split in splits.values()] == [14, 3, 3]
    inputs, targets = splits["test"].batch(np.arange(6))
    assert inputs.dtype == np.float32
    assert (inputs[:, 0] // 2 % 2 == targets).all(), "inputs and targets belong together"


def test_splits_in_the_file_stay_and_what_is_missing_is_taken_from_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4])
    assert sizes(array_data(tmp_path / "data.npz", "x", "y")) == [34, 6, 4]
    parts = {"train_x": X, "train_y": Y, "val_x": X[:8], "val_y": Y[:8], "test_x": X[:4], "test_y": Y[:4]}
    np.savez(tmp_path / "all.npz", **parts)
    assert sizes(array_data(tmp_path / "all.npz", "x", "y")) == [40, 8, 4]


def test_safetensors_and_pairs_of_npy_files_hold_the_same(tmp_path: Path) -> None:
    save_file({"inputs": torch.tensor(X).bfloat16(), "targets": torch.tensor(Y)}, tmp_path / "data.safetensors")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", X[:, :1])
    assert sizes(array_data(tmp_path / "data.safetensors")) == [28, 6, 6]
    pair = array_data((tmp_path / "x.npy", tmp_path / "y.npy"))
    assert sizes(pair) == [28, 6, 6]
    assert pair["test"].targets.shape == (6, 1)


def test_files_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", images=X, labels=Y)
    np.savez(tmp_path / "objects.npz", inputs=np.array([{}, []], dtype=object), targets=Y)
    np.savez(tmp_path / "lengths.npz", inputs=X, targets=Y[:3])
    np.savez(tmp_path / "test.npz", x_test=X, y_test=Y)
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "bad.npz").write_bytes(b"PK no archive")
    for name, sentence in (
        ("data.npz", r"has no array 'inputs'; it has images, labels: give inputs=\.\.\. and targets="),
        ("objects.npz", r"cannot be read \(Object arrays cannot be loaded when allow_pickle=False\)"),
        ("lengths.npz", r"40 inputs and 3 targets"),
        ("one.npy", r"holds one array; give a pair of files \(inputs, targets\)"),
        ("bad.npz", r"bad\.npz cannot be read"),
        ("gone.safetensors", r"gone\.safetensors cannot be read"),
    ):
        with pytest.raises(RequestError, match=sentence):
            array_data(tmp_path / name)
    with pytest.raises(RequestError, match=r"has test and no train; it has x_test, y_test"):
        array_data(tmp_path / "test.npz", "x", "y")
    with pytest.raises(RequestError, match=r"y\.npy cannot be read .*; give a \.npy file"):
        array_data((tmp_path / "one.npy", tmp_path / "y.npy"))


def test_inputs_without_targets_are_a_split_of_their_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=X, y=Y, x_unlabelled=X[:7])
    splits = array_data(tmp_path / "data.npz", "x", "y")
    assert sizes(splits) == [28, 6, 6]
    inputs, targets = splits["unlabelled"].batch(np.arange(7))
    assert (inputs == X[:7]).all()
    assert targets is None
