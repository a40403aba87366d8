"""AOTInductor: the network compiled to machine code ahead of time by PyTorch's own compiler, for processors."""

import json
import warnings
from collections.abc import Callable, Mapping
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.lowering.compiled_code import no_compiler, require_instructions
from runners.runner import StageFailed
from spaces.errors import in_one_line

SETTINGS = "aotinductor.json"


class AotInductor(Backend):
    """Fuses operators into C++ that a compiler turns into one library; opening it compiles nothing.

    PyTorch's documentation: "AOTInductor: Ahead-Of-Time Compilation for Torch.Export-ed Models".
    """

    name = "aotinductor"
    artifact = "model.pt2"
    precisions = ("fp32", "bf16")
    packages = ("torch",)
    lacks: ClassVar[Mapping[str, str]] = {
        "int8": "torchao's quantiser for it (X86InductorQuantizer) fails on residual connections, as of ResNet"
    }
    by_default: ClassVar[bool] = False
    for_this_machine: ClassVar[bool] = True
    compiles: ClassVar[bool] = True

    def unsupported(self) -> str | None:
        return super().unsupported() or no_compiler()

    def lower(self, trained: Trained, folder: Path) -> None:
        import torch
        from torch._inductor import aoti_compile_and_package, config

        from runners.lowering.exported_program import exported_program, module_at_precision

        module = module_at_precision(trained)
        # The number of threads is that of each call; the instructions are those that PyTorch itself names, so that the
        # file says what it needs.
        settings: dict[str, Any] = {"freezing": True, "cpp.dynamic_threads": True, "cpp.march": ""}
        try:
            with warnings.catch_warnings(), torch.no_grad(), config.patch(settings):
                warnings.simplefilter("ignore")
                program = exported_program(module, trained.example)
                aoti_compile_and_package(program, package_path=str(folder / self.artifact))
        except Exception as error:
            raise StageFailed(f"AOTInductor cannot compile this network ({in_one_line(error)})") from error
        needs = {"instructions": torch.backends.cpu.get_cpu_capability()}
        (folder / SETTINGS).write_text(json.dumps(needs), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import processor_predictor
        from runners.machine.denormals import flush_denormals

        flush_denormals()
        try:
            module = load_compiled(folder)
        except OSError as error:
            raise StageFailed(str(error)) from error
        return processor_predictor(module, threads)

    def loader_source(self) -> str:
        return f"""
import json
from typing import Any

import torch


{getsource(require_instructions)}

{getsource(load_compiled)}

def load(folder, threads):
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero, as where this model was timed
    torch.set_num_threads(threads)
    module = load_compiled(folder)

    def predict(*inputs):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, inputs)).numpy()

    return predict
"""


def load_compiled(folder: Any) -> Any:
    """The compiled network in ``folder``, a function of tensors; ``predict.py`` holds the source of this function.

    Raises:
        OSError: It was compiled for instructions that this processor does not have.
    """
    import torch

    require_instructions(json.loads((folder / "aotinductor.json").read_text())["instructions"])
    return torch._inductor.aoti_load_package(str(folder / "model.pt2"))


BACKEND = AotInductor()
