"""Any model file, or an exported folder, as a function on arrays, with the input shape in its file."""

import logging
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.artifacts.document import DOCUMENT
from runners.artifacts.exported_folder import open_exported_folder
from runners.artifacts.integrity import read_document
from runners.backend import Predictor
from runners.backends.openvino import compile_settings
from runners.lowering.onnx_session import open_session
from runners.lowering.openvino_core import openvino_core
from spaces.errors import RequestError, in_one_line

Shape = tuple[int | None, ...]
"""Sizes of an input, the batch first; None where the model takes any."""
KINDS = ("float32", "int32", "int64", "bool")
"""The types of inputs that can be made up."""

CONSTANTS = "constants.pkl"
"""A TorchScript archive has this file, and one that holds weights alone has not."""


@dataclass(frozen=True)
class FileInput:
    """An input as a model's file describes it: its type, and its shape or None where the file has none."""

    kind: str
    shape: Shape | None


@dataclass(frozen=True)
class ModelFile:
    """A model that was read, before it is made ready for inputs of one shape each.

    Attributes:
        inputs: Its inputs in their order.
        make_predictor: Makes the predictor for one whole shape of each input; of several outputs it computes all and
            gives the first.
    """

    inputs: tuple[FileInput, ...]
    make_predictor: Callable[[tuple[tuple[int, ...], ...]], Predictor]


def require_readable(path: Path) -> None:
    """Raise `RequestError` where nothing is at ``path``, or its kind is unknown; nothing is loaded."""
    if not path.exists():
        raise RequestError(f"{path} does not exist; give a model file or a folder that `frontrunner export` wrote")
    if path.is_dir() and not (path / DOCUMENT).is_file():
        raise RequestError(f"{path} holds no {DOCUMENT}; give a folder that `frontrunner export` wrote, or a file")
    if not path.is_dir() and path.suffix.lower() not in READERS:
        raise RequestError(f"{path} is of an unknown kind; known are {', '.join(READERS)} and exported folders")


def open_model(path: Path, threads: int) -> ModelFile:
    """Read the model at ``path``, for calls on ``threads`` threads; the suffix decides its kind.

    TorchScript and ``.pt2`` files can run code when they are loaded: open only files that you trust.

    Raises:
        RequestError: `require_readable` refuses it, it is damaged or not what its suffix says, or it takes inputs of
            other types than `KINDS`.
    """
    require_readable(path)
    reader = _read_folder if path.is_dir() else READERS[path.suffix.lower()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return reader(path, threads)
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(f"{path} cannot be opened ({in_one_line(error)}); write the file again") from error


def _read_folder(path: Path, threads: int) -> ModelFile:
    inputs = [
        FileInput(each.dtype, (None, *(size if isinstance(size, int) else None for size in each.shape[1:])))
        for each in read_document(path).signatures
    ]
    known = _known(path, inputs)
    return ModelFile(known, lambda shapes: open_exported_folder(path, threads=threads, batch=shapes[0][0]))


def _read_onnx(path: Path, threads: int) -> ModelFile:
    session = open_session(path, threads)
    names = [each.name for each in session.get_inputs()]
    inputs = []
    for each in session.get_inputs():
        kind = each.type.removeprefix("tensor(").removesuffix(")")
        sizes = tuple(size if isinstance(size, int) and size > 0 else None for size in each.shape)
        inputs.append(FileInput({"float": "float32"}.get(kind, kind), sizes or None))

    def predict(*given: NDArray[Any]) -> NDArray[Any]:
        outputs: NDArray[Any] = session.run(None, dict(zip(names, given, strict=True)))[0]
        return outputs

    return ModelFile(_known(path, inputs), lambda shapes: predict)


def _read_torchscript(path: Path, threads: int) -> ModelFile:
    import torch

    from runners.machine.accelerator import torch_device

    if not any(Path(name).name == CONSTANTS for name in _entries(path)):
        raise RequestError(f"{path} is no TorchScript file, and weights or a pickled module will not do; use jit.save")
    jit: Any = torch.jit  # its functions carry no types
    module = jit.load(path, map_location=torch_device()).eval()
    needed = [argument for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    if len(needed) != 1 or str(needed[0].type) != "Tensor":
        raise RequestError(
            f"{path} takes {', '.join(str(argument.type) for argument in needed)}, and TorchScript tells neither types "
            "nor shapes of tensors; give a model of one float32 tensor, or the same as ONNX, .pt2 or .xml"
        )
    module = jit.optimize_for_inference(module)
    return ModelFile((FileInput("float32", None),), lambda shapes: _torch_predictor(module, threads))


def _read_program(path: Path, threads: int) -> ModelFile:
    import torch

    from runners.lowering.torch_predictor import processor_predictor, program_module
    from runners.machine.accelerator import torch_device

    if any("/aotinductor/" in name for name in _entries(path)):
        compiled = torch._inductor.aoti_load_package(str(path))
        predictor = processor_predictor(lambda *given: _first(compiled(*given)), threads)
        return ModelFile((FileInput("float32", None),), lambda shapes: predictor)
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    program = torch.export.load(path)
    named = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    inputs = []
    for value in (named.get(str(name)) for name in program.graph_signature.user_inputs):
        kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
        sizes = tuple(size if isinstance(size, int) else None for size in getattr(value, "shape", ()))
        inputs.append(FileInput(kind, sizes))
    known, module = _known(path, inputs), program_module(program, torch_device())
    return ModelFile(known, lambda shapes: _torch_predictor(module, threads))


def _read_openvino(path: Path, threads: int) -> ModelFile:
    if b"<net" not in path.read_bytes()[:4096]:
        raise RequestError(f"{path} is no OpenVINO model; write the file again with openvino.save_model")
    core = openvino_core()
    model = core.read_model(path)
    inputs = []
    for each in model.inputs:
        kind, partial = each.get_element_type(), each.get_partial_shape()
        known = not partial.rank.is_dynamic
        sizes = tuple(size.get_length() if size.is_static else None for size in partial) if known else None
        inputs.append(FileInput(str(kind.to_dtype()) if kind in _openvino_kinds() else kind.get_type_name(), sizes))
    settings = compile_settings(threads, {"precision": "fp32"})  # as its file says, not bf16 where the CPU has it

    def make_predictor(shapes: tuple[tuple[int, ...], ...]) -> Predictor:
        model.reshape({number: list(shape) for number, shape in enumerate(shapes)})
        request = core.compile_model(model, "CPU", settings).create_infer_request()

        def predict(*given: NDArray[Any]) -> NDArray[Any]:
            # A copy, because the next call writes into the same memory.
            return np.array(request.infer(dict(enumerate(given)), share_inputs=True, share_outputs=True)[0])

        return predict

    return ModelFile(_known(path, inputs), make_predictor)


def _openvino_kinds() -> tuple[Any, ...]:
    import openvino

    return openvino.Type.f32, openvino.Type.i32, openvino.Type.i64, openvino.Type.boolean


READERS: dict[str, Callable[[Path, int], ModelFile]] = {
    ".onnx": _read_onnx,
    ".pt": _read_torchscript,
    ".ts": _read_torchscript,
    ".torchscript": _read_torchscript,
    ".pt2": _read_program,
    ".xml": _read_openvino,
}


def _known(path: Path, inputs: Sequence[FileInput]) -> tuple[FileInput, ...]:
    """``inputs``, of which there is one at least, all of types that can be made up."""
    if not inputs:
        raise RequestError(f"{path} takes no input; give a model that takes one")
    if other := [each.kind for each in inputs if each.kind not in KINDS]:
        raise RequestError(f"{path} takes an input of {other[0]}; give a model whose inputs are {', '.join(KINDS)}")
    return tuple(inputs)


def _entries(path: Path) -> list[str]:
    """Names of the files in an archive of torch, looked up first because torch says little about other files."""
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is damaged or no {path.suffix} file of torch; write the file again")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _torch_predictor(module: Callable[[Any], Any], threads: int) -> Predictor:
    from runners.lowering.torch_predictor import torch_predictor

    return torch_predictor(lambda *given: _first(module(*given)), threads)


def _first(outputs: Any) -> Any:
    """The first tensor of what a network of torch gives, in float32."""
    while not hasattr(outputs, "dtype"):
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return outputs.float()
