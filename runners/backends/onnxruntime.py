"""ONNX Runtime, on the CPU where nothing else is chosen."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runners.backend import Backend, Predictor, Trained
from runners.inputs import network_batch
from runners.lowering.onnx_session import open_session, session_options
from runners.runner import StageFailed
from spaces.configuration import Scalar
from spaces.techniques.onnxruntime_options import PROVIDERS

SETTINGS = "onnxruntime.json"
KEPT = ("graph_level", "execution_provider")
"""The options that opening the artifact needs."""


class OnnxRuntime(Backend):
    """Serves the ONNX file as it is; int8 is the quantised file, and of weights alone it is compressed here."""

    name = "onnxruntime"
    artifact = "model.onnx"
    runs_code = False
    reads_onnx = True
    precisions = ("fp32", "int8", "int8_weight_only", "int4_weight_only")
    skips_layers = True
    packages = ("onnxruntime", "onnx")
    takes: ClassVar[tuple[str, ...]] = (*KEPT, "onnxslim")
    only_products: ClassVar[tuple[str, ...]] = ("int8_weight_only", "int4_weight_only")
    lacks: ClassVar[Mapping[str, str]] = {
        "bf16": "its CPU provider has no convolution and no matrix product in that format"
    }
    rough_because = "ONNX Runtime rounds sigmoids to 6e-8, of which some networks make much"
    quantisation: ClassVar[Mapping[str, Scalar]] = {"quantiser": "onnxruntime", "depthwise": "per-tensor"}
    """Unsigned activations and signed weights, quantised by its own tools. Against its own fp32 on one thread (x86 with
    VNNI, networks of torchvision at 224x224, ResNet-18 at 64x64): MobileNetV2 2.1 times as fast, EfficientNet-B0 1.2,
    MobileNetV3-small 0.9, ResNet-18 5.9. NNCF's form gave 0.4, 0.4, 0.3 and 5.0: a convolution is fused only where
    activations have one scale and one sign on both sides, and NNCF gives depthwise ones a scale a channel.
    """

    def examine(self) -> Mapping[str, Sequence[Scalar]]:
        super().examine()
        import onnxruntime

        here = {name.removesuffix("ExecutionProvider").lower() for name in onnxruntime.get_available_providers()}
        slims = find_spec("onnxslim") is not None
        return {
            "execution_provider": [name for name in PROVIDERS if name in here],
            "onnxslim": [False, True] if slims else [False],
        }

    def lower(self, trained: Trained, folder: Path) -> None:
        from runners.lowering.onnx_files import copy_onnx
        from runners.lowering.weight_only import BITS, compress_onnx

        artifact, options = folder / self.artifact, {n: v for n, v in trained.options.items() if n in KEPT}
        if trained.precision in BITS:
            compress_onnx(trained.onnx(), trained.precision, artifact)
        else:
            copy_onnx(trained.onnx(), artifact)
        if trained.options.get("onnxslim"):
            from runners.lowering.onnx_graphs.slimming import slim

            slim(artifact, str(options.get("graph_level", "all")))
        if options:
            (folder / SETTINGS).write_text(json.dumps(options), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        try:
            session = open_model(folder, threads)
        except OSError as error:
            raise StageFailed(str(error)) from error
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
        return f"""
import json
from typing import Any


{getsource(session_options)}

{getsource(open_session)}

{getsource(open_model)}

def load(folder, threads):
    session = open_model(folder, threads)
    names = [each.name for each in session.get_inputs()]

    def predict(*inputs):
        return session.run(["output"], dict(zip(names, inputs)))[0]

    return predict
"""


def open_model(folder: Any, threads: int) -> Any:
    """The model in ``folder`` as a session, with the settings beside it; ``predict.py`` holds the source of this, too.

    Raises:
        OSError: What it is to compute on cannot be used here.
    """
    file = folder / "onnxruntime.json"
    settings = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    level, provider = settings.get("graph_level", "all"), settings.get("execution_provider", "cpu")
    return open_session(folder / "model.onnx", threads, level, provider)


BACKEND = OnnxRuntime()
