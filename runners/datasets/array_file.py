"""The splits of arrays that lie in a file of NumPy or of safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.array_split import ArraySplit
from runners.datasets.division import SHARES, divide
from runners.datasets.split_names import SPLIT_NAMES
from runners.workload import UNLABELLED
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

MOST_CLASSES = 1_000
"""Whole numbers up to this are taken for classes where the data are divided."""


def array_data(
    path: str | Path | tuple[str | Path, str | Path],
    inputs: str = "inputs",
    targets: str = "targets",
    *,
    seed: int = 0,
) -> dict[str, ArraySplit]:
    """The splits of a ``.npz`` or ``.safetensors`` file, or of two ``.npy`` files.

    A file may hold the splits, as the arrays ``x_train``, ``y_train``, ``x_test``, ``y_test`` (or ``train_x``, ...) for
    ``inputs="x", targets="y"``; ``val``, ``valid`` and ``validation`` mean the same. Otherwise ``x`` and ``y`` are
    divided, class by class where targets are class numbers: 70 % train, 15 % validate and 15 % test. What is missing
    beside a training split is taken from it. Inputs without targets, ``x_unlabelled``, are a split of their own, from
    which networks learn by what their teacher says of them.

    Args:
        path: The file; or two ``.npy`` files with the inputs and with the targets. All examples are kept in memory.
        inputs: Name of the inputs.
        targets: Name of the targets.
        seed: Decides which examples go where.

    Raises:
        RequestError: A file cannot be read, or does not hold these arrays.
    """
    if isinstance(path, tuple):
        whole = tuple(_npy(Path(part)) for part in path)
        return _divided(str(path[0]), whole[0], whole[1], SHARES, seed)
    arrays = _arrays(Path(path))
    return _labelled(path, arrays, inputs, targets, seed) | _unlabelled(arrays, inputs)


def _labelled(
    path: str | Path, arrays: Mapping[str, NDArray[Any]], inputs: str, targets: str, seed: int
) -> dict[str, ArraySplit]:
    found = {split: pair for split, names in SPLIT_NAMES.items() if (pair := _pair(arrays, inputs, targets, names))}
    if not found:
        for name in (inputs, targets):
            if name not in arrays:
                raise RequestError(
                    f"{path} has no array {name!r}{did_you_mean(name, arrays)}; it has {', '.join(arrays) or 'none'}: "
                    f"give inputs=... and targets=..."
                )
        return _divided(str(path), arrays[inputs], arrays[targets], SHARES, seed)
    if "train" not in found:
        raise RequestError(f"{path} has {', '.join(found)} and no train; it has {', '.join(arrays)}")
    splits = {split: ArraySplit(*pair) for split, pair in found.items()}
    missing = {split: share for split, share in SHARES.items() if split not in found}
    return splits | (_divided(str(path), *found["train"], missing, seed) if missing else {})


def _unlabelled(arrays: Mapping[str, NDArray[Any]], inputs: str) -> dict[str, ArraySplit]:
    names = (f"{inputs}_{UNLABELLED}", f"{UNLABELLED}_{inputs}")
    given = next((arrays[name] for name in names if name in arrays), None)
    return {} if given is None else {UNLABELLED: ArraySplit(given)}


def _divided(
    path: str, inputs: NDArray[Any], targets: NDArray[Any], shares: Mapping[str, float], seed: int
) -> dict[str, ArraySplit]:
    ArraySplit(inputs, targets)  # as long as each other
    are_classes = targets.ndim == 1 and targets.dtype.kind in "iu" and targets.size and targets.max() < MOST_CLASSES
    groups = [f"{path}: class {target}" for target in targets] if are_classes else [path] * len(targets)
    parts = divide([str(row) for row in range(len(targets))], groups, "train", shares, seed)
    return {split: ArraySplit(inputs[rows], targets[rows]) for split, rows in parts.items()}


def _pair(
    arrays: Mapping[str, NDArray[Any]], inputs: str, targets: str, names: tuple[str, ...]
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    for name in names:
        for first, second in ((f"{inputs}_{name}", f"{targets}_{name}"), (f"{name}_{inputs}", f"{name}_{targets}")):
            if first in arrays and second in arrays:
                return arrays[first], arrays[second]
    return None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return {
                name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
                for name, tensor in load_file(path).items()
            }
        opened = np.load(path, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            raise RequestError(f"{path} holds one array; give a pair of files (inputs, targets)")
        return {name: opened[name] for name in opened.files}
    except RequestError:
        raise
    except Exception as error:  # what NumPy, zipfile and safetensors raise on damaged files
        raise RequestError(f"{path} cannot be read ({_reason(error)}); give a .npz or .safetensors file") from error


def _npy(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # what NumPy raises on damaged files
        raise RequestError(f"{path} cannot be read ({_reason(error)}); give a .npy file") from error
    if not isinstance(array, np.ndarray):
        raise RequestError(f"{path} holds several arrays; give it alone, not in a pair")
    return array


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
