"""ncnn on the CPU: a small runtime for phones and boards; pnnx converts to its format."""

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from runners.backend import Backend, Predictor, Trained
from runners.inputs import ExampleInputs
from runners.runner import StageFailed
from spaces.errors import in_one_line

SETTINGS = "ncnn.json"
CONVERSION_S = 300.0
"""A conversion that takes longer is ended."""
FORMATS = {"float32": "f32", "int64": "i64", "bool": "u8"}
"""Number formats by NumPy's name and by that of pnnx."""
GROUPED = ("ConvolutionDepthWise", "DeconvolutionDepthWise")
"""Convolutions with groups, in two dimensions; those in one and three compute in fp32 always."""

Layers = Sequence[tuple[str, Mapping[str, str]]]


class Ncnn(Backend):
    """Answers one example at a time, since ncnn's networks have no batch dimension; a batch is called row by row."""

    name = "ncnn"
    artifact = "model.ncnn.param"
    runs_all_because = "its graphs have no branches"
    precisions = ("fp32", "bf16")
    packages = ("ncnn", "pnnx")
    extra = "ncnn"
    note = "for phones and boards; timed on this machine"
    runs_code = False
    by_default: ClassVar[bool] = False
    tried_before_search: ClassVar[bool] = True
    lacks: ClassVar[Mapping[str, str]] = {
        "int8": "its tools for that, ncnn2table and ncnn2int8, are in none of its Python packages",
    }

    def lower(self, trained: Trained, folder: Path) -> None:
        if trained.example.is_dynamic:
            raise StageFailed("ncnn is converted for inputs of one size, and these have a dynamic dimension")
        with tempfile.TemporaryDirectory() as place:
            traced = Path(place) / "model.pt"
            shape = _trace(trained, traced)
            _convert(traced, trained.example)
            layers = _layers(traced.with_suffix(".ncnn.param"))
            _require_operators(layers)
            if trained.precision == "bf16":
                _refuse_groups(layers)
            for file in (self.artifact, "model.ncnn.bin"):
                (folder / file).write_bytes((Path(place) / file).read_bytes())
        settings = {"bf16": trained.precision == "bf16", "output_shape": shape}
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        predictor: Predictor = open_network(folder, threads)
        return predictor

    def loader_source(self) -> str:
        return f"""
import json
from typing import Any

import numpy as np


{getsource(open_network)}

def load(folder, threads):
    return open_network(folder, threads)
"""


def open_network(folder: Any, threads: int) -> Any:
    """The network in ``folder`` as a function of a batch for each input, which is called row by row.

    ``predict.py`` of an exported folder holds the source of this function. ncnn has no setting in Python for denormal
    numbers, so it computes with them unless the process takes them for zero, as every process that times does. The file
    is the same in fp32 and bf16: weights become bf16 as it is opened.
    """
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_vulkan_compute = False
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(network.opt, option, False)
    settings = json.loads((folder / "ncnn.json").read_text())
    network.opt.use_bf16_storage, shape = settings["bf16"], settings["output_shape"]
    if network.load_param(str(folder / "model.ncnn.param")) or network.load_model(str(folder / "model.ncnn.bin")):
        raise OSError(f"ncnn cannot open the network in {folder}")

    def call(*inputs: Any) -> Any:
        extractor = network.create_extractor()
        for number, array in enumerate(inputs):
            row = np.ascontiguousarray(array[0], dtype=None if array.dtype == np.float32 else np.int32)
            extractor.input(f"in{number}", ncnn.Mat(row))
        found = np.array(extractor.extract("out0")[1], dtype=np.float32)
        # Behind a flattening it has a dimension of one more: pnnx takes the batch for one of the picture's own.
        return found.reshape(shape) if found.size == np.prod(shape) else found

    def predict(*inputs: Any) -> Any:
        return np.stack([call(*(array[row : row + 1] for array in inputs)) for row in range(len(inputs[0]))])

    return predict


def _trace(trained: Trained, path: Path) -> list[int]:
    """Write the network as TorchScript to ``path``; the shape of its output for one input, without the batch."""
    import torch

    from runners.lowering.free_sizes import written_out

    jit: Any = torch.jit  # its functions carry no types
    inputs = tuple(map(torch.from_numpy, trained.example.arrays))
    try:
        with warnings.catch_warnings(), written_out(), torch.no_grad():
            warnings.simplefilter("ignore")
            traced = jit.trace(trained.module, inputs, check_trace=False)
            jit.save(traced, path)
            return [*traced(*inputs).shape[1:]]
    except Exception as error:
        raise StageFailed(f"TorchScript cannot record this network ({in_one_line(error)})") from error


def _convert(traced: Path, example: ExampleInputs) -> None:
    """Write ``model.ncnn.param`` and ``model.ncnn.bin`` beside ``traced``."""
    shapes = ",".join(f"{list(array.shape)}{FORMATS[array.dtype.name]}".replace(" ", "") for array in example.arrays)
    start = "import sys, pnnx; sys.exit(pnnx.pnnx())"
    program = [sys.executable, "-c", start, traced.name, f"inputshape={shapes}", "fp16=0", "optlevel=2"]
    try:
        done = subprocess.run(
            program, cwd=traced.parent, capture_output=True, text=True, timeout=CONVERSION_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StageFailed(f"pnnx did not convert this network in {CONVERSION_S:.0f} s") from error
    if not traced.with_suffix(".ncnn.param").exists():
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise StageFailed(f"pnnx cannot convert this network ({said})")


def _layers(param: Path) -> Layers:
    """The kind of each layer of the network in ``param``, and its settings by their numbers."""
    lines = [line.split() for line in param.read_text(encoding="utf-8").splitlines()[2:] if line.strip()]
    return [(words[0], dict(word.split("=", 1) for word in words[4:] if "=" in word)) for words in lines]


def _require_operators(layers: Layers) -> None:
    """Raise `StageFailed` with the operators that pnnx found nothing for: it writes them with their PyTorch names."""
    if unknown := sorted({kind for kind, _ in layers if "." in kind or "::" in kind}):
        raise StageFailed(f"ncnn has no operator for {', '.join(unknown)}")


def _refuse_groups(layers: Layers) -> None:
    """Raise `StageFailed` where a convolution has groups of several channels.

    ncnn 1.0.20261020 computes them wrong in bf16 on x86 processors, often as NaN, or crashes. It does so, too, where a
    feature mask keeps such a layer in fp32 behind one in bf16. With one channel a group they are right.
    """
    if any(kind in GROUPED and not _one_channel_a_group(settings) for kind, settings in layers):
        raise StageFailed("ncnn computes convolutions with several channels a group wrong in bf16; choose fp32")


def _one_channel_a_group(settings: Mapping[str, str]) -> bool:
    """Of a convolution in two dimensions: each group takes one channel and gives one."""
    outputs, groups, weights = int(settings["0"]), int(settings["7"]), int(settings["6"])
    kernel = int(settings["1"]) * int(settings.get("11", settings["1"]))
    return outputs == groups and weights == outputs * kernel


BACKEND = Ncnn()
