"""Hostile files, read in a process of their own that may take little memory and write little: what came of each.

Run as a program: ``python limited_reading.py JSON`` takes the files by reader and prints what came of each.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY = 256 * 2**20
"""Bytes of address space that reading may take beyond what the reader's libraries have."""
WRITTEN = 64 * 2**10
"""Bytes of a file that reading may write."""
LONGEST_S = 60
"""Seconds of a processor that reading all files may take."""


@dataclass(frozen=True)
class Outcome:
    """What came of reading a file: ``refused``, ``read``, or the name of another error; and the words."""

    kind: str
    words: str


def read_limited(files: dict[str, list[Path]], cwd: Path) -> dict[tuple[str, str], Outcome]:
    """What each reader makes of its files, by reader and name of the file.

    Raises:
        AssertionError: The process died, or a file in ``cwd`` is new or was changed.
    """
    asked = json.dumps({reader: [str(path) for path in paths] for reader, paths in files.items()})
    before = tree(cwd)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, asked],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert done.returncode == 0, done.stderr
    assert tree(cwd) == before, "something ran, or was written"
    found = json.loads(done.stdout.splitlines()[-1])
    return {(reader, name): Outcome(kind, words) for reader, name, kind, words in found}


def assert_refused(outcome: Outcome, name: str) -> None:
    """Raise AssertionError unless the file of this name was refused in one sentence that names it."""
    assert outcome.kind == "refused", outcome
    assert name in outcome.words
    assert "\n" not in outcome.words
    assert len(outcome.words) < 1_000


def tree(folder: Path) -> dict[str, int]:
    """Every name below a folder, with the size of what is there."""
    return {str(path.relative_to(folder)): path.lstat().st_size for path in folder.rglob("*")}


def _weights() -> Callable[[Path], Any]:
    from torch import nn

    from runners.models.weights_file import load_weights

    return lambda path: load_weights(nn.Linear(2, 2), path)


def _arrays() -> Callable[[Path], Any]:
    from safetensors.torch import load_file  # noqa: F401 its libraries count as the reader's

    from runners.datasets.array_file import array_data

    return array_data


def _table() -> Callable[[Path], Any]:
    import pandas  # noqa: F401

    from runners.datasets.csv_file import csv_data

    return lambda path: csv_data(path, target="y")


def _division() -> Callable[[Path], Any]:
    from runners.datasets.division_file import read_division

    return read_division


def _images() -> Callable[[Path], Any]:
    from runners.datasets.image_folder import open_image_folder

    def read(folder: Path) -> None:
        for split in open_image_folder(folder, 8, (0.0,) * 3, (1.0,) * 3).values():
            split.fingerprint()

    return read


def _study() -> Callable[[Path], Any]:
    from search.request.read_request import from_yaml, merge

    return lambda path: merge(from_yaml(path), {})


def _exported() -> Callable[[Path], Any]:
    import onnx  # noqa: F401

    from runners.artifacts.exported_folder import open_exported_folder
    from runners.artifacts.integrity import read_claims

    def read(folder: Path) -> None:
        read_claims(folder)
        open_exported_folder(folder, threads=1, batch=1)

    return read


def _models() -> Callable[[Path], Any]:
    import onnxruntime  # noqa: F401

    from runners.artifacts.model_file import open_model

    return lambda path: open_model(path, 1)


READERS = {
    "weights": _weights,
    "arrays": _arrays,
    "table": _table,
    "division": _division,
    "images": _images,
    "study": _study,
    "exported": _exported,
    "models": _models,
}


def _outcome(read: Callable[[Path], Any], path: Path) -> tuple[str, str]:
    from spaces.errors import RequestError

    try:
        read(path)
    except RequestError as error:
        return "refused", str(error)
    except Exception as error:
        return type(error).__name__, str(error)[:300]
    return "read", ""


def _main(asked: str) -> None:
    files: dict[str, list[str]] = json.loads(asked)
    readers = {reader: READERS[reader]() for reader in files}
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN, WRITTEN))
    cpu = int(time.process_time()) + LONGEST_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    each = [(reader, Path(file)) for reader, paths in files.items() for file in paths]
    print(json.dumps([(reader, file.name, *_outcome(readers[reader], file)) for reader, file in each]))


if __name__ == "__main__":
    _main(sys.argv[1])
