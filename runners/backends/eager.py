"""PyTorch as it is: the network called layer by layer. The baseline runs here."""

import json
import warnings
from collections.abc import Callable, Mapping
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.inputs import ExampleInputs, shortened
from runners.lowering.plain_calls import plain_calls
from runners.runner import StageFailed
from spaces.errors import in_one_line

PROGRAM = "model.pt2"
SETTINGS = "eager.json"
CHANNELS_LAST = "channels_last"
TOLERANCE = {"fp32": 1e-4, "tf32": 1e-4, "bf16": 2e-2, "fp16": 5e-3}
"""Largest difference of a shipped program from the network, as a share of the largest output."""


class Eager(Backend):
    """Keeps weights alone, since the code of the network is the workload's; ships a ``torch.export`` program."""

    name = "eager"
    artifact = "weights.safetensors"
    precisions = ("fp32", "tf32", "bf16", "fp16")
    skips_layers = True
    packages = ("torch", "safetensors")
    lacks: ClassVar[Mapping[str, str]] = {
        "int8": "PyTorch's own quantisation of activations (torch.ao.quantization) is deprecated"
    }
    on_accelerator: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("batch_norm_folding", "memory_format")

    def lower(self, trained: Trained, folder: Path) -> None:
        from runners.lowering.network_options import in_channels_last, with_batch_norms_folded
        from runners.lowering.torch_predictor import DTYPES
        from runners.lowering.weights import copy_network, save_network

        options, dtype = trained.options, DTYPES.get(trained.precision)
        network = copy_network(trained.module, trained.build) if options or dtype else trained.module
        if options.get("batch_norm_folding"):
            network = with_batch_norms_folded(network, trained.example)
        settings = {"precision": trained.precision, "memory_format": options.get("memory_format", "contiguous")}
        if settings["memory_format"] == CHANNELS_LAST:
            in_channels_last(network)  # tried here, and applied where it is opened: files have one format
        save_network(network.to(dtype) if dtype else network, folder)
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import torch_predictor, with_tf32
        from runners.machine.accelerator import torch_device
        from runners.machine.denormals import flush_denormals

        flush_denormals()
        if (folder / PROGRAM).exists():
            predictor = torch_predictor(_load_program(folder / PROGRAM, torch_device()), threads)
        else:
            assert build is not None, "weights alone need the workload's code"
            predictor = torch_predictor(_rebuild(folder, build), threads)
        is_tf32 = (folder / SETTINGS).exists() and _settings(folder)["precision"] == "tf32"
        return with_tf32(predictor) if is_tf32 else predictor

    def ship(self, folder: Path, destination: Path, build: Callable[[], Any], example: ExampleInputs) -> None:
        import torch

        from runners.lowering.exported_program import exported_program

        module = _rebuild(folder, build)
        try:
            program = exported_program(module, example)
        except Exception as error:
            raise StageFailed(_why_not_written(error, example)) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, destination / PROGRAM)
        precision = _settings(folder)["precision"]
        _require_equal(module, _load_program(destination / PROGRAM, torch.device("cpu")), example, precision)
        if precision == "tf32":  # which the program does not say
            (destination / SETTINGS).write_bytes((folder / SETTINGS).read_bytes())

    def loader_source(self) -> str:
        return f"""
from typing import Any

import torch


{getsource(plain_calls)}

def load(folder, threads):
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero, as where this model was timed
    torch.set_num_threads(threads)
    module = plain_calls(torch.export.load(folder / "model.pt2").module(check_guards=False))

    def predict(*inputs):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, inputs)).numpy()

    return predict
"""


def _why_not_written(error: Exception, example: ExampleInputs) -> str:
    if example.is_dynamic and "Constraints violated" in str(error):
        return (
            "torch.export fixes a size of the inputs that is to be dynamic in this network, as it does with recurrent "
            "layers; pick a trial of another runtime, or search without dynamic in the Workload"
        )
    return f"torch.export cannot write this network ({in_one_line(error)})"


def _settings(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return settings


def _rebuild(folder: Path, build: Callable[[], Any]) -> Any:
    from runners.lowering.network_options import in_channels_last
    from runners.lowering.torch_predictor import at_precision
    from runners.lowering.weights import load_network

    settings, network = _settings(folder), load_network(build, folder)
    if settings["memory_format"] == CHANNELS_LAST:
        network = in_channels_last(network)
    return at_precision(network, settings["precision"]).eval()


def _load_program(path: Path, device: Any) -> Any:
    import torch

    from runners.lowering.torch_predictor import program_module

    return plain_calls(program_module(torch.export.load(path), device))


def _require_equal(module: Any, program: Any, example: ExampleInputs, precision: str) -> None:
    import torch

    batches = {"a batch of 1": example.repeated(1), "a batch of 3": example.repeated(3)}
    if example.is_dynamic:
        batches["a shorter example"] = shortened(example.repeated(3), example.dynamic)
    for which, arrays in batches.items():
        inputs = tuple(map(torch.from_numpy, arrays))
        with torch.inference_mode():
            expected, given = module(*inputs), program(*inputs)
        allowed = TOLERANCE[precision] * max(1e-6, float(expected.abs().max()))
        if given.shape != expected.shape or not float((given - expected).abs().max()) <= allowed:
            raise StageFailed(f"the exported program gives other outputs than the network for {which}")


BACKEND = Eager()
