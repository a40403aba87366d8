"""``predict.py`` of an exported folder: the model on a file of inputs, without Frontrunner."""

from collections.abc import Mapping, Sequence
from typing import Any

from runners.backends import find_backend

PROGRAM = '''\
"""Runs the exported model on one example or a batch; needs {needs} and NumPy."""

import argparse
from pathlib import Path

import numpy as np
{loader}

INPUTS = {inputs}
"""Type and shape of one example, by name; None is a size that may differ."""
FREE = {free}
"""Such a size where the input is made up."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, help="{file} with one example or a batch; made up without it")
    parser.add_argument("--save", type=Path, help="write the outputs to this .npy file")
    parser.add_argument("--threads", type=int, default={threads}, help="threads of one call")
    chosen = parser.parse_args()
    inputs = [checked(parser, *each) for each in (read(parser, chosen.input) if chosen.input else made_up())]
    if len({{len(array) for array in inputs}}) > 1:
        parser.error(f"the inputs have {{[len(array) for array in inputs]}} examples; give as many of each")
    outputs = load(Path(__file__).resolve().parent, chosen.threads)(*inputs)
    print("output shape", outputs.shape)
    flat = outputs.reshape(len(outputs), -1)
    print(*("argmax", flat.argmax(axis=1).tolist()) if flat.shape[1] > 1 else ("outputs", flat[:, 0].tolist()))
    if chosen.save:
        np.save(chosen.save, outputs)


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
    runtime = document["runtime"]
    packages = [runtime["package"], *(["torch"] if find_backend(runtime["name"]).takes_tensors else [])]
    return " and ".join(f"{name} {document['versions'].get(name, '')}".strip() for name in packages)
