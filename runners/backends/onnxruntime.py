"""ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.backend import Backend, Predictor, Trained
from runners.inputs import network_batch


class OnnxRuntime(Backend):
    """Serves the ONNX file as it is; int8 is the quantised file, and of weights alone it is compressed here."""

    name = "onnxruntime"
    artifact = "model.onnx"
    runs_code = False
    reads_onnx = True
    precisions = ("fp32", "int8", "int8_weight_only", "int4_weight_only")
    packages = ("onnxruntime", "onnx")

    def lower(self, trained: Trained, folder: Path) -> None:
        from runners.lowering.weight_only import BITS, compress_onnx

        if trained.precision in BITS:
            compress_onnx(trained.onnx(), trained.precision, folder / self.artifact)
        else:
            (folder / self.artifact).write_bytes(trained.onnx().read_bytes())

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.onnx_session import open_session

        session = open_session(folder / self.artifact, threads)
        names = [each.name for each in session.get_inputs()]

        def predict(*inputs: NDArray[Any]) -> NDArray[Any]:
            given = dict(zip(names, map(network_batch, inputs), strict=True))
            outputs: NDArray[Any] = session.run(["output"], given)[0]
            return outputs

        def predict_one(inputs: NDArray[Any]) -> NDArray[Any]:
            given = np.ascontiguousarray(inputs, dtype=np.float32)
            outputs: NDArray[Any] = session.run(["output"], {names[0]: given})[0]
            return outputs

        # The loop over the inputs takes as long as a twelfth of a call of the smallest networks.
        return predict_one if [each.type for each in session.get_inputs()] == ["tensor(float)"] else predict

    def loader_source(self) -> str:
        return """
import onnxruntime


def load(folder, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Numbers below 1e-38 count as zero, as where this model was timed.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def predict(*inputs):
        return session.run(["output"], dict(zip(names, inputs)))[0]

    return predict
"""


BACKEND = OnnxRuntime()
