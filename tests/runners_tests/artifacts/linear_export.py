"""An exported folder of one matrix multiplication in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.inputs import ExampleInputs
from runners.measuring.opening import Artifact

EXAMPLE = np.ones((1, 4), np.float32)
WEIGHT = np.arange(8, dtype=np.float32).reshape(4, 2)


def linear_model() -> Any:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["input", "weight"], ["output"])],
        "linear",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(WEIGHT, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def export_linear(destination: Path, check: Callable[[Path], None] = lambda folder: None, **changes: Any) -> Path:
    lowered = destination.parent / f"lowered-{destination.name}"
    lowered.mkdir()
    onnx.save(linear_model(), lowered / "model.onnx")
    given: dict[str, Any] = {
        "artifact": Artifact(lowered, "onnxruntime", threads=1),
        "precision": "fp32",
        "build": lambda: None,
        "example": ExampleInputs.of(EXAMPLE),
        "configuration": {"student_width": 0.5, "runtime": "onnxruntime"},
        "claims": {"accuracy": 0.9712, "speedup": 6.1, "speedup_ci95": [5.9, 6.4], "macs": 1234567},
        "baseline": {"accuracy": 0.98, "speedup": 1.0, "speedup_ci95": [0.99, 1.01], "macs": 7654321},
        "measured": {"device": "AMD EPYC, 2 cores", "method": "pairs"},
        "workload": "linear",
        "origin": {"study": "night", "trial": 7},
    }
    return write_exported_folder(destination, ExportedModel(**{**given, **changes}), check=check)
