"""What every backend must do: answers are collected from an opened artifact, then judged.

Run as a program it collects them in a process of its own, which is how an artifact is used.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FP32_TOLERANCE = 1e-4
AGREEMENT = 0.95
"""Share of examples on which a reduced precision must choose the class that fp32 chooses."""


def collect(predict: Callable[[Any], Any], inputs: Any) -> dict[str, Any]:
    """Answers to all inputs at once, to 7, to 1, and those to the 7 as they look after later calls."""
    seven = predict(inputs[:7])
    at_once = np.array(seven, copy=True)
    one = predict(inputs[:1])
    predict(inputs[7:14])
    return {"seven": at_once, "seven_later": np.array(seven, copy=True), "one": one, "all": predict(inputs)}


def check(answers: Mapping[str, Any], reference: Any, precision: str) -> None:
    """Raise AssertionError for the first rule that the answers break; ``reference`` is eager fp32, ``(n, classes)``."""
    for rows, name in ((1, "one"), (7, "seven"), (len(reference), "all")):
        assert answers[name].shape == (rows, reference.shape[1]), f"shape {answers[name].shape} for {rows} inputs"
        assert answers[name].dtype == np.float32, f"outputs are {answers[name].dtype}"
    assert np.array_equal(answers["seven"], answers["seven_later"]), "a later call overwrote earlier outputs"
    scale = np.abs(reference).max()
    apart = np.abs(answers["all"] - reference).max() / scale
    if precision == "fp32":
        assert apart <= FP32_TOLERANCE, f"fp32 outputs are {apart:.1e} of the largest one away from eager"
    else:
        agreement = (answers["all"].argmax(axis=1) == reference.argmax(axis=1)).mean()
        assert agreement >= AGREEMENT, f"{precision} agrees with fp32 on {agreement:.0%} of the examples"
        assert apart > FP32_TOLERANCE, f"{precision} gives the outputs of fp32: the precision is ignored"
    tolerance = FP32_TOLERANCE if precision == "fp32" else 0.05
    for few in ("one", "seven"):
        several = answers["all"][: len(answers[few])]
        assert np.abs(answers[few] - several).max() <= tolerance * scale, "outputs depend on the batch size"


def build() -> Any:
    """The synthetic workload's untrained network."""
    from runners.workloads.synthetic import make_network

    return make_network()


def main() -> None:
    """Collect the answers of one backend: its name, inputs, and for each precision a folder and a file to write."""
    from runners.backends import find_backend

    backend, inputs = find_backend(sys.argv[1]), np.load(sys.argv[2])
    for folder, output in json.loads(sys.argv[3]):
        predict = backend.open(Path(folder), threads=1, batch=1, build=build)
        np.savez(output, **collect(predict, inputs), imported_torch="torch" in sys.modules)


if __name__ == "__main__":
    main()
