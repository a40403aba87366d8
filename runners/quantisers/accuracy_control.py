"""How nearly a quantised network answers as in floating point: what NNCF's accuracy control asks for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.processes.progress import report_progress


class Agreement:
    """Compares networks with one in floating point on the same examples, which need no labels.

    Two outputs or more an example are taken for class scores: an example counts as 1 where the largest is at the same
    place, else as 0. Any other outputs count as 1 less the norm of the difference over that of the outputs.

    Args:
        model: The ONNX network in floating point.
        inputs: The examples, each a batch of one by the names of the inputs.
    """

    def __init__(self, model: Any, inputs: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        self._inputs = inputs
        self._expected = self._outputs(model, range(len(inputs)))

    def __call__(self, model: Any, numbers: Iterable[int]) -> tuple[float, list[float]]:
        """The mean over the examples of these ``numbers``, and the value of each."""
        chosen = list(numbers)
        expected = [self._expected[number] for number in chosen]
        values = list(map(_agreement, self._outputs(model, chosen), expected))
        return float(np.mean(values)), values

    def _outputs(self, model: Any, numbers: Iterable[int]) -> list[NDArray[Any]]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = []
        for number in numbers:
            found.append(session.run(None, dict(self._inputs[number]))[0])
            report_progress()
        return found


def _agreement(given: NDArray[Any], expected: NDArray[Any]) -> float:
    if expected.ndim == 2 and expected.shape[1] > 1:
        return float(given.argmax() == expected.argmax())
    norm = float(np.linalg.norm(expected))
    return 1 - float(np.linalg.norm(given - expected)) / max(norm, float(np.finfo(np.float32).tiny))
