"""OpenVINO on the CPU."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.backend import Backend, Predictor, Trained
from runners.lowering.openvino_core import openvino_core
from runners.machine import telemetry
from runners.runner import StageFailed
from spaces.configuration import Scalar
from spaces.errors import in_one_line

SETTINGS = "openvino.json"


class OpenVino(Backend):
    """Compiles its intermediate representation at opening, for the batch size that is served."""

    name = "openvino"
    artifact = "model.xml"
    runs_code = False
    reads_onnx = True
    precisions = ("fp32", "bf16", "fp16", "int8", "int8_weight_only", "int4_weight_only")
    skips_layers = True
    packages = ("openvino", "onnx")
    takes: ClassVar[tuple[str, ...]] = ("sparse_decompression",)
    only_products: ClassVar[tuple[str, ...]] = ("int4_weight_only",)
    quantisation: ClassVar[Mapping[str, Scalar]] = {"quantiser": "nncf"}
    """What NNCF writes is made for it; it fuses a scale a channel before depthwise convolutions, too."""

    def lower(self, trained: Trained, folder: Path) -> None:
        telemetry.disable_telemetry()
        import openvino

        from runners.lowering.weight_only import BITS, compress_openvino

        exported = trained.onnx()
        try:
            model = openvino_core().read_model(exported)
        except RuntimeError as error:
            raise StageFailed(_why_not_read(error)) from error
        if trained.precision in BITS:
            model = compress_openvino(model, trained.precision)
        openvino.save_model(model, folder / self.artifact, compress_to_fp16=trained.precision == "fp16")
        settings = {"precision": trained.precision, **trained.options, **_names(trained.example.names)}
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        core = openvino_core()
        model = core.read_model(folder / self.artifact)
        written = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        settings, names = compile_settings(threads, written), input_names(model, written)
        calls = {batch: compiled_call(core, model, settings, names, batch)}

        def predict(*inputs: NDArray[Any]) -> NDArray[Any]:
            rows = len(inputs[0])
            if rows not in calls:
                calls[rows] = compiled_call(core, model, settings, names, rows)
            return calls[rows](*inputs)

        return predict

    def loader_source(self) -> str:
        return f"""
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.modules.setdefault("openvino_telemetry", None)  # nothing is sent
import openvino

CORE = openvino.Core()  # one for the process: two that end in another order than they began break its signal handlers


{getsource(compile_settings)}

{getsource(input_names)}

{getsource(compiled_call)}

def load(folder, threads):
    written = json.loads((folder / "openvino.json").read_text())
    model = CORE.read_model(folder / "model.xml")
    names, settings = input_names(model, written), compile_settings(threads, written)
    calls = {{}}

    def predict(*inputs):
        rows = len(inputs[0])
        if rows not in calls:
            calls[rows] = compiled_call(CORE, model, settings, names, rows)
        return calls[rows](*inputs)

    return predict
"""


def compile_settings(threads: int, written: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of OpenVINO for a short latency of one call, as `SETTINGS` has been ``written``: the number format
    is its ``precision``.

    ``predict.py`` of an exported folder holds the source of this function.
    """
    # Weights of products in 8 bits of which half are zero stay packed in memory, where the CPU has a kernel for that.
    sparse = {"CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": 0.5} if written.get("sparse_decompression") else {}
    return {
        **sparse,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # What is in few bits has f32 between; without a hint OpenVINO takes bf16 wherever the CPU has it.
        "INFERENCE_PRECISION_HINT": {"bf16": "bf16", "fp16": "f16"}.get(written["precision"], "f32"),
        # Pinned, the replicas of one machine would all sit on its first cores.
        "ENABLE_CPU_PINNING": False,
        # Of themselves it takes denormal weights for zero, but not what becomes denormal on the way.
        "CPU_DENORMALS_OPTIMIZATION": True,
    }


def input_names(model: Any, written: Mapping[str, Any]) -> list[str]:
    """The names of the inputs in the order of a call; ``predict.py`` has this function, too."""
    return written.get("inputs") or [model.inputs[0].any_name]


def compiled_call(
    core: Any, model: Any, settings: dict[str, Any], names: list[str], batch: int
) -> Callable[..., NDArray[Any]]:
    """A function that runs ``model`` for a fixed batch size, which is faster than for any; ``predict.py`` has it, too.

    Where all sizes are known, the inputs are copied into the memory of one request. To hand other arrays to each call
    takes as long as half the layers of a small network.
    """
    shapes = {number: port.get_partial_shape() for number, port in enumerate(model.inputs)}
    for shape in shapes.values():
        shape[0] = batch
    model.reshape(shapes)
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def call_any_size(*inputs: NDArray[Any]) -> NDArray[Any]:
        given = {
            name: np.ascontiguousarray(each, np.float32 if each.dtype.kind == "f" else None)
            for name, each in zip(names, inputs, strict=True)
        }
        outputs = request.infer(given, share_inputs=True, share_outputs=True)
        return np.array(outputs[0], dtype=np.float32)  # a copy, because the next call writes into the same memory

    if any(port.get_partial_shape().is_dynamic for port in [*model.inputs, *model.outputs]):
        return call_any_size
    memory = [request.get_tensor(name).data for name in names]
    result = request.get_output_tensor(0).data

    def call(*inputs: NDArray[Any]) -> NDArray[Any]:
        for place, each in zip(memory, inputs, strict=True):
            if each.shape != place.shape:
                raise ValueError(f"an input has the sizes {each.shape}; the model takes {place.shape}")
            place[...] = each
        request.infer(share_outputs=True)
        return np.array(result, dtype=np.float32)

    return call


def _why_not_read(error: RuntimeError) -> str:
    """Why OpenVINO cannot read an ONNX file; operators that it does not have are named."""
    if found := re.search(r"No conversion rule found for operations: (.+)", str(error)):
        return f"OpenVINO has no operator for {found[1].strip()} of ONNX"
    return f"OpenVINO cannot read this network ({in_one_line(error)})"


def _names(names: Sequence[str]) -> dict[str, list[str]]:
    """The names of several inputs in their order, which the file does not have to keep."""
    return {"inputs": list(names)} if len(names) > 1 else {}


BACKEND = OpenVino()
