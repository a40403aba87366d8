"""Loads an exported folder as a model of MLflow. A copy of this file travels with each registered model.

It needs NumPy and what the folder's own ``predict.py`` needs, and nothing of Frontrunner. Nothing is unpickled.
"""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FrontrunnerModel:
    """The model in ``folder``, called with the threads with which it was measured."""

    def __init__(self, folder: Path) -> None:
        document = json.loads((folder / "frontrunner.json").read_text(encoding="utf-8"))
        self._inputs = document.get("inputs") or [document["input"]]
        found = importlib.util.spec_from_file_location(f"predict_{abs(hash(str(folder)))}", folder / "predict.py")
        assert found is not None, "a file with this suffix is Python"
        assert found.loader is not None, "and can be loaded"
        program = importlib.util.module_from_spec(found)
        found.loader.exec_module(program)
        self._predict = program.load(folder, document["runtime"]["threads"])

    def predict(self, given: Any, params: Mapping[str, Any] | None = None) -> NDArray[Any]:
        """The outputs for a batch: an array for one input, or a mapping with an array for each input by its name.

        Raises:
            ValueError: An input is missing.
        """
        names = [each["name"] for each in self._inputs]
        if not isinstance(given, Mapping):
            given = {names[0]: given}
        missing = [name for name in names if name not in given]
        if missing:
            raise ValueError(f"input {missing[0]!r} is missing; give an array for each of {', '.join(names)}")
        arrays = (np.ascontiguousarray(given[each["name"]], dtype=each["dtype"]) for each in self._inputs)
        outputs: NDArray[Any] = self._predict(*arrays)
        return outputs


def _load_pyfunc(path: str) -> FrontrunnerModel:
    """MLflow calls this with the folder of the model's data."""
    return FrontrunnerModel(Path(path))
