"""``predict.py`` of an exported folder: the model on a file of inputs, without Frontrunner."""

from collections.abc import Mapping, Sequence
from typing import Any

from runners.backends import find_backend

REQUIREMENTS = "requirements.txt"
"""Name of the file that says what ``predict.py`` needs."""

PROGRAM = '''\
"""Runs the exported model on one example or a batch; needs {needs} and NumPy."""

import argparse
import importlib.util
import sys
from pathlib import Path

for package in {modules}:
    if importlib.util.find_spec(package) is None:
        sys.exit(f"predict.py needs the package {{package}}: python -m pip install -r requirements.txt")

import numpy as np
{loader}

SAMPLE = Path(__file__).resolve().parent / "sample.npz"
"""One real example and its label."""
CLASSES = {classes}
"""The names of the classes in the order of the outputs, where they have any."""
INPUTS = {inputs}
"""Type and shape of one example, by name; None is a size that may differ."""
FREE = {free}
"""Such a size where the input is made up."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, help="{file} with one example or a batch; sample.npz without it")
    parser.add_argument("--save", type=Path, help="write the outputs to this .npy file")
    parser.add_argument("--threads", type=int, default={threads}, help="threads of one call")
    chosen = parser.parse_args()
    path = chosen.input or (SAMPLE if SAMPLE.is_file() else None)
    inputs = [checked(parser, *each) for each in (read(parser, path) if path else made_up())]
    if len({{len(array) for array in inputs}}) > 1:
        parser.error(f"the inputs have {{[len(array) for array in inputs]}} examples; give as many of each")
    outputs = load(Path(__file__).resolve().parent, chosen.threads)(*inputs)
    print("output shape", outputs.shape)
    flat = outputs.reshape(len(outputs), -1)
    print(*("argmax", flat.argmax(axis=1).tolist()) if flat.shape[1] > 1 else ("outputs", flat[:, 0].tolist()))
    if CLASSES and flat.shape[1] == len(CLASSES):
        print("class", [CLASSES[place] for place in flat.argmax(axis=1)])
    if path == SAMPLE:
        tell_label()
    if chosen.save:
        np.save(chosen.save, outputs)


def tell_label():
    with np.load(SAMPLE, allow_pickle=False) as found:
        if "label" in found and found["label"].size == 1:
            label = found["label"].flat[0]
            print("the label of this sample is", CLASSES[int(label)] if CLASSES else label)


def read(parser, path):
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            found = dict.fromkeys(list(INPUTS)[:1], found)
        found = {{name: found[name] for name in found}}
    except (OSError, ValueError) as error:
        parser.error(f"--input {{path}}: cannot be read ({{error}})")
    missing = [name for name in INPUTS if name not in found]
    if missing:
        parser.error(f"--input {{path}}: holds no array {{missing[0]}}; give an .npz file with {{', '.join(INPUTS)}}")
    return [(name, found[name]) for name in INPUTS]


def made_up():
    random = np.random.default_rng(0)
    for name, (kind, shape) in INPUTS.items():
        shape = [1, *(FREE if size is None else size for size in shape)]
        whole = (np.arange(np.prod(shape)).reshape(shape) + 1) % 2
        yield name, random.standard_normal(shape) if kind == "float32" else whole


def checked(parser, name, array):
    kind, shape = INPUTS[name]
    array = np.ascontiguousarray(array, dtype=kind)
    if array.ndim == len(shape):
        array = array[None]
    if array.ndim != len(shape) + 1 or any(want not in (None, size) for want, size in zip(shape, array.shape[1:])):
        parser.error(f"{{name}} has shape {{array.shape}}; it must be {{tuple(shape)}} or {{('n', *shape)}}")
    return array


if __name__ == "__main__":
    main()
'''


def predict_source(loader: str, document: Mapping[str, Any], free: int | None) -> str:
    """``predict.py``: a backend's loader with a command line around it.

    Args:
        loader: What `runners.backend.Backend.loader_source` gives.
        document: That of the folder.
        free: The size of a dynamic dimension where the input is made up; None where there is none.
    """
    described = signatures(document)
    inputs = {each["name"]: (each["dtype"], tuple(each["shape"][1:])) for each in described}
    return PROGRAM.format(
        needs=needs(document),
        loader=loader.strip("\n"),
        modules=tuple(name.replace("-", "_") for name in ("numpy", *_packages(document))),
        classes=tuple(document.get("classes", ())),
        inputs=inputs,
        free=free,
        file=".npy file" if len(inputs) == 1 else f".npz file with {', '.join(inputs)}",
        threads=document["runtime"]["threads"],
    )


def signatures(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Name, type and shape of each input: one is ``input`` of the document, several are ``inputs``."""
    several: Sequence[Mapping[str, Any]] = document.get("inputs") or [document["input"]]
    return several


def needs(document: Mapping[str, Any]) -> str:
    """What loads the model, at the version that it was made with."""
    return " and ".join(f"{name} {document['versions'].get(name, '')}".strip() for name in _packages(document))


def requirements(document: Mapping[str, Any]) -> str:
    """``requirements.txt``: what ``predict.py`` needs, at the versions that the model was made with."""
    found = (
        f"{name}=={document['versions'][name]}"
        for name in ("numpy", *_packages(document))
        if name in document["versions"]
    )
    return "".join(f"{line}\n" for line in found)


def _packages(document: Mapping[str, Any]) -> list[str]:
    runtime = document["runtime"]
    return [runtime["package"], *(["torch"] if find_backend(runtime["name"]).takes_tensors else [])]
