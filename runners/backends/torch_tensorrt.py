"""Torch-TensorRT on an NVIDIA GPU: TensorRT runs what it has of a program of ``torch.export``, PyTorch the rest."""

import json
from collections.abc import Callable
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.inputs import ExampleInputs
from runners.runner import StageFailed
from spaces.errors import in_one_line

SETTINGS = "torch_tensorrt.json"
BATCHES = (2, 32, 256)
"""The smallest, the best and the largest batch of the program for several examples; larger ones are run in parts."""
MOST_OPTIMISED = 5
"""TensorRT's highest optimisation level, at which it tries the most kernels; its default is 3."""


class TorchTensorRt(Backend):
    """A program for one example and one for several; an operator that TensorRT does not have is run by PyTorch.

    Written against the code of torch-tensorrt 2.14.0 and tested with a stand-in; no GPU has run it.
    """

    name = "torch_tensorrt"
    artifact = "model.pt2"
    precisions = ("fp32", "tf32", "bf16", "fp16")
    packages = ("torch_tensorrt", "torch")
    note = "for NVIDIA GPUs alone"
    by_default: ClassVar[bool] = False
    for_this_machine: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    on_accelerator: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("compile_mode",)

    def unsupported(self) -> str | None:
        from runners.machine.accelerator import no_nvidia_gpu

        return no_nvidia_gpu() or super().unsupported()

    def lower(self, trained: Trained, folder: Path) -> None:
        if trained.example.is_dynamic:
            raise StageFailed("Torch-TensorRT builds for inputs of one size here, and these have a dynamic dimension")
        import torch

        from runners.lowering.exported_program import module_at_precision

        mode = str(trained.options.get("compile_mode", "default"))
        settings = {"cuda_graphs": mode == "reduce-overhead"}
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        options: dict[str, Any] = {"disable_tf32": trained.precision != "tf32", "min_block_size": 1}
        if mode == "max-autotune":
            options["optimization_level"] = MOST_OPTIMISED
        module = module_at_precision(trained)
        try:
            with torch.no_grad():
                _write(module, trained.example, folder / self.artifact, several=False, options=options)
                _write(module, trained.example, folder / "several.pt2", several=True, options=options)
        except Exception as error:
            raise StageFailed(f"Torch-TensorRT cannot compile this network ({in_one_line(error)})") from error

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import torch_predictor

        try:
            call = open_programs(folder)
        except RuntimeError as error:
            raise StageFailed(
                f"Torch-TensorRT cannot open the model here ({in_one_line(error)}); lower it again on this GPU"
            ) from error
        return torch_predictor(call, threads)

    def loader_source(self) -> str:
        return f"""
import json
from typing import Any

import torch


{getsource(open_programs)}

def load(folder, threads):
    call = open_programs(folder)

    def predict(*inputs):
        with torch.inference_mode():
            return call(*(torch.from_numpy(array).cuda() for array in inputs)).cpu().numpy()

    return predict
"""


def _write(module: Any, example: ExampleInputs, path: Path, *, several: bool, options: dict[str, Any]) -> None:
    """Write the program for one example, or for ``several``, with the engines that TensorRT builds with ``options``."""
    import torch
    import torch_tensorrt

    from runners.lowering.exported_program import exported_program
    from runners.lowering.free_sizes import free_sizes, two_rows
    from runners.lowering.torch_predictor import program_on
    from runners.machine.accelerator import torch_device

    if several:
        given, free = two_rows(example), free_sizes(module, example)
        program = exported_program(module, example)
        shapes = [[(rows, *array.shape[1:]) for rows in BATCHES] for array in example.arrays]
        names = ("min_shape", "opt_shape", "max_shape")
        inputs = [
            torch_tensorrt.Input(**dict(zip(names, sizes, strict=True)), dtype=tensor.dtype)
            for sizes, tensor in zip(shapes, given, strict=True)
        ]
    else:
        given, free = tuple(map(torch.from_numpy, example.arrays)), None
        program = torch.export.export(module, given)
        inputs = [torch_tensorrt.Input(shape=tuple(each.shape), dtype=each.dtype) for each in given]
    compiled = torch_tensorrt.dynamo.compile(program_on(program, torch_device()), inputs, **options)
    placed = [each.to(torch_device()) for each in given]
    torch_tensorrt.save(compiled, str(path), arg_inputs=placed, dynamic_shapes=free)


def open_programs(folder: Any) -> Any:
    """The programs in ``folder`` as a function of tensors on the GPU; ``predict.py`` holds the source of this function.

    Raises:
        RuntimeError: They were built for another GPU or by another version.
    """
    import torch
    import torch_tensorrt

    settings = json.loads((folder / "torch_tensorrt.json").read_text())
    one, several = (
        torch_tensorrt.load(str(folder / file)).module(check_guards=False) for file in ("model.pt2", "several.pt2")
    )

    def call(*inputs: Any) -> Any:
        # Whether the kernels of a call are launched at once, as a CUDA graph: one setting of the process, and other
        # models may be open in it.
        torch_tensorrt.runtime.set_cudagraphs_mode(settings["cuda_graphs"])
        if len(inputs[0]) > 256:
            return torch.cat([call(*parts) for parts in zip(*(each.split(256) for each in inputs), strict=True)])
        return (one if len(inputs[0]) == 1 else several)(*inputs)

    return call


BACKEND = TorchTensorRt()
