"""torch.compile: the network as a graph that PyTorch's compiler turns into fused kernels when it is first called."""

import json
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from inspect import getsource
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.inputs import ExampleInputs
from runners.lowering.compiled_code import no_compiler, require_instructions
from runners.runner import StageFailed
from spaces.errors import in_one_line

SETTINGS = "inductor.json"
COMPILED = "compiled.zip"
SEVERAL = (3, 5)
"""Rows of the call for which the graph with a free batch is compiled; the second where a dynamic size is the first:
sizes that are equal then would be taken for one."""


class Inductor(Backend):
    """A program of ``torch.export`` beside the kernels that ``torch.compile`` made of it, so that opening finds them.

    There is one graph for one example and one for several, of any number. PyTorch's documentation: ``torch.compile``,
    "Compile Time Caching in torch.compile".
    """

    name = "inductor"
    artifact = "model.pt2"
    precisions = ("fp32", "bf16")
    packages = ("torch",)
    lacks: ClassVar[Mapping[str, str]] = {
        "int8": "torchao's quantiser for it (X86InductorQuantizer) fails on residual connections, as of ResNet"
    }
    by_default: ClassVar[bool] = False
    for_this_machine: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    on_accelerator: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("compile_mode",)

    def unsupported(self) -> str | None:
        return super().unsupported() or no_compiler()

    def lower(self, trained: Trained, folder: Path) -> None:
        import torch

        from runners.lowering.exported_program import exported_program, module_at_precision
        from runners.machine.accelerator import torch_device

        module = module_at_precision(trained)
        settings = {
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "device": torch_device().type,
            "options": compiler_options(str(trained.options.get("compile_mode", "default")), torch_device().type),
            "calls": calls_of(trained.example),
        }
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                torch.export.save(exported_program(module, trained.example), folder / self.artifact)
                with TemporaryDirectory() as cache:
                    compile_program(folder, cache)
                    pack(Path(cache), folder / COMPILED)
        except Exception as error:
            raise StageFailed(f"torch.compile cannot compile this network ({in_one_line(error)})") from error

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import torch_predictor
        from runners.machine.denormals import flush_denormals

        flush_denormals()
        try:
            module = load_compiled(folder)
        except OSError as error:
            raise StageFailed(str(error)) from error
        return torch_predictor(module, threads)

    def loader_source(self) -> str:
        return f"""
import json
import os
import zipfile
from tempfile import TemporaryDirectory
from typing import Any

import torch


{getsource(require_instructions)}

{getsource(compile_program)}

{getsource(load_compiled)}

def load(folder, threads):
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero, as where this model was timed
    torch.set_num_threads(threads)
    module = load_compiled(folder)
    device = json.loads((folder / "inductor.json").read_text())["device"]

    def predict(*inputs):
        with torch.inference_mode():
            return module(*(torch.from_numpy(each).to(device) for each in inputs)).cpu().numpy()

    return predict
"""


def compiler_options(mode: str, device: str) -> dict[str, Any]:
    """The ``options`` of ``torch.compile`` for a mode; weights are constants, and threads those of each call.

    On a processor all kernels and the calls of them are one C++ file, as otherwise each kernel is a file (29 for
    ResNet-18), and what they share is compiled with each.
    """
    import torch

    # The instructions are those that PyTorch itself names, so that the file says what it needs. A precompiled header
    # would be made again by each process that opens the file.
    fixed = {"freezing": True, "cpp.dynamic_threads": True, "cpp.march": "", "cpp_cache_precompile_headers": False}
    if device != "cpu":
        return {**torch._inductor.list_mode_options(mode), **fixed}
    without_graphs = "max-autotune-no-cudagraphs" if mode == "max-autotune" else mode
    return {**torch._inductor.list_mode_options(without_graphs), **fixed, "cpp_wrapper": True}


def calls_of(example: ExampleInputs) -> list[list[dict[str, Any]]]:
    """The calls for which graphs are compiled: for each the inputs, with type, shape and the sizes that are free."""
    several = next(rows for rows in SEVERAL if rows != example.free_size)
    return [
        [
            {
                "dtype": str(array.dtype),
                "shape": [rows, *array.shape[1:]],
                "free": [*([0] if rows > 1 else []), *([] if place is None else [place])],
            }
            for array, place in zip(example.arrays, example.dynamic, strict=True)
        ]
        for rows in (1, several)
    ]


def pack(cache: Path, archive: Path) -> None:
    """Write the files of the compiler's cache into one archive, without what only compiling needs."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(cache.rglob("*")):
            if file.is_file():
                packed.write(file, file.relative_to(cache))


def compile_program(folder: Any, cache: str) -> Any:
    """The program in ``folder`` as ``torch.compile`` runs it, a function of tensors; ``predict.py`` holds its source.

    Args:
        folder: What `Inductor.lower` wrote.
        cache: The folder of the compiler's cache, which is read and filled; it is not needed afterwards.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    settings = json.loads((folder / "inductor.json").read_text())
    program = torch.export.load(folder / "model.pt2")
    if settings["device"] != "cpu":
        program = move_to_device_pass(program, settings["device"])
    module = torch.compile(program.module(check_guards=False), fullgraph=True, options=settings["options"])
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    try:
        for call in settings["calls"]:
            inputs = []
            for each in call:
                zeros = torch.zeros(each["shape"], dtype=getattr(torch, each["dtype"]), device=settings["device"])
                torch._dynamo.maybe_mark_dynamic(zeros, each["free"])
                inputs.append(zeros)
            with torch.inference_mode():
                module(*inputs)
    finally:
        os.environ.pop("TORCHINDUCTOR_CACHE_DIR")
        if before is not None:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
    return module


def load_compiled(folder: Any) -> Any:
    """The network in ``folder`` with the kernels that were compiled for it; ``predict.py`` holds its source.

    Raises:
        OSError: They were compiled for instructions that this processor does not have.
    """
    require_instructions(json.loads((folder / "inductor.json").read_text())["instructions"])
    with TemporaryDirectory() as cache:
        zipfile.ZipFile(folder / "compiled.zip").extractall(cache)
        return compile_program(folder, cache)


BACKEND = Inductor()
