"""Any model file, or an exported folder, as a function on arrays, with the input shape in its file."""

import logging
import warnings
import zipfile
from collections.abc import Callable
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
from runners.machine.telemetry import disable_telemetry
from spaces.errors import RequestError, in_one_line

Shape = tuple[int | None, ...]
"""Sizes of an input, the batch first; None where the model takes any."""

CONSTANTS = "constants.pkl"
"""A TorchScript archive has this file, and one that holds weights alone has not."""


@dataclass(frozen=True)
class ModelFile:
    """A model that was read, before it is made ready for one input shape.

    Attributes:
        shape: The input shape in its file, or None where it holds none.
        make_predictor: Makes the predictor for inputs of one whole shape; of several outputs it computes all and gives
            the first.
    """

    shape: Shape | None
    make_predictor: Callable[[tuple[int, ...]], Predictor]


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
        RequestError: `require_readable` refuses it, it is damaged or not what its suffix says, or it does not take
            one float32 tensor.
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
    inputs = read_document(path).signatures
    _require_one_float32(path, [each.dtype == "float32" for each in inputs])
    _, *sizes = inputs[0].shape
    shape = (None, *(size if isinstance(size, int) else None for size in sizes))
    return ModelFile(shape, lambda shape: open_exported_folder(path, threads=threads, batch=shape[0]))


def _read_onnx(path: Path, threads: int) -> ModelFile:
    session = open_session(path, threads)
    inputs = session.get_inputs()
    _require_one_float32(path, [each.type == "tensor(float)" for each in inputs])
    name = inputs[0].name

    def predict(given: NDArray[Any]) -> NDArray[Any]:
        outputs: NDArray[Any] = session.run(None, {name: given})[0]
        return outputs

    sizes = tuple(size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape)
    return ModelFile(sizes or None, lambda shape: predict)


def _read_torchscript(path: Path, threads: int) -> ModelFile:
    import torch

    from runners.machine.accelerator import torch_device

    if not any(Path(name).name == CONSTANTS for name in _entries(path)):
        raise RequestError(f"{path} is no TorchScript file, and weights or a pickled module will not do; use jit.save")
    jit: Any = torch.jit  # its functions carry no types
    module = jit.load(path, map_location=torch_device()).eval()
    needed = [argument for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    _require_one_float32(path, [str(argument.type) == "Tensor" for argument in needed])
    module = jit.optimize_for_inference(module)
    return ModelFile(None, lambda shape: _torch_predictor(module, threads))


def _read_program(path: Path, threads: int) -> ModelFile:
    import torch

    from runners.lowering.torch_predictor import program_module
    from runners.machine.accelerator import torch_device

    if any("/aotinductor/" in name for name in _entries(path)):
        compiled = torch._inductor.aoti_load_package(str(path))
        return ModelFile(None, lambda shape: _torch_predictor(compiled, threads))
    logging.getLogger("torch.export").setLevel(logging.CRITICAL)
    program = torch.export.load(path)
    named = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    inputs = [named.get(str(name)) for name in program.graph_signature.user_inputs]
    _require_one_float32(path, [getattr(value, "dtype", None) == torch.float32 for value in inputs])
    sizes = tuple(size if isinstance(size, int) else None for size in getattr(inputs[0], "shape", ()))
    module = program_module(program, torch_device())
    return ModelFile(sizes, lambda shape: _torch_predictor(module, threads))


def _read_openvino(path: Path, threads: int) -> ModelFile:
    disable_telemetry()
    import openvino

    if b"<net" not in path.read_bytes()[:4096]:
        raise RequestError(f"{path} is no OpenVINO model; write the file again with openvino.save_model")
    core = openvino.Core()
    model = core.read_model(path)
    _require_one_float32(path, [each.get_element_type() == openvino.Type.f32 for each in model.inputs])
    partial = model.input(0).get_partial_shape()
    settings = compile_settings(threads, "fp32")  # as its file says, and not bf16 wherever the CPU has it

    def make_predictor(shape: tuple[int, ...]) -> Predictor:
        model.reshape(list(shape))
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        # A copy, because the next call writes into the same memory.
        return lambda given: np.array(request.infer({0: given}, share_inputs=True, share_outputs=True)[0])

    known = not partial.rank.is_dynamic
    sizes = tuple(size.get_length() if size.is_static else None for size in partial) if known else None
    return ModelFile(sizes, make_predictor)


READERS: dict[str, Callable[[Path, int], ModelFile]] = {
    ".onnx": _read_onnx,
    ".pt": _read_torchscript,
    ".ts": _read_torchscript,
    ".torchscript": _read_torchscript,
    ".pt2": _read_program,
    ".xml": _read_openvino,
}


def _require_one_float32(path: Path, inputs: list[bool]) -> None:
    if len(inputs) != 1:
        raise RequestError(f"{path} takes {len(inputs)} inputs; give a model that takes one float32 tensor")
    if not inputs[0]:
        raise RequestError(f"{path} takes another input than float32; give a model that takes one float32 tensor")


def _entries(path: Path) -> list[str]:
    """Names of the files in an archive of torch, looked up first because torch says little about other files."""
    if not zipfile.is_zipfile(path):
        raise RequestError(f"{path} is damaged or no {path.suffix} file of torch; write the file again")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _torch_predictor(module: Callable[[Any], Any], threads: int) -> Predictor:
    from runners.lowering.torch_predictor import torch_predictor

    return torch_predictor(lambda given: _first(module(given)), threads)


def _first(outputs: Any) -> Any:
    """The first tensor of what a network of torch gives, in float32."""
    while not hasattr(outputs, "dtype"):
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return outputs.float()
