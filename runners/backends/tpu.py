"""A TPU through ``torch-tpu``: the network compiled by its backend of ``torch.compile``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.runner import StageFailed
from spaces.errors import in_one_line


class Tpu(Backend):
    """A program of ``torch.export``, compiled anew in each process and for each size of inputs.

    Written against the code of torch-tpu 0.2.0 and tested with a stand-in; no TPU has run it.
    """

    name = "tpu"
    artifact = "model.pt2"
    precisions = ("fp32", "bf16")
    packages = ("torch_tpu", "torch")
    extra = "tpu"
    note = "for TPU hosts alone"
    by_default: ClassVar[bool] = False
    takes_tensors: ClassVar[bool] = True
    on_accelerator: ClassVar[bool] = True

    def unsupported(self) -> str | None:
        if missing := super().unsupported():
            return f"needs a TPU, and on its host {missing.removeprefix('needs ')}"
        from runners.machine.accelerator import torch_device

        return None if torch_device().type == "tpu" else "needs a TPU, and torch.accelerator finds none"

    def lower(self, trained: Trained, folder: Path) -> None:
        import torch

        from runners.lowering.exported_program import exported_program, module_at_precision

        module = module_at_precision(trained)
        try:
            program = exported_program(module, trained.example)
        except Exception as error:
            raise StageFailed(f"torch.export cannot write this network ({in_one_line(error)})") from error
        torch.export.save(program, folder / self.artifact)

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        import torch

        from runners.lowering.torch_predictor import program_module, torch_predictor
        from runners.machine.accelerator import torch_device

        device = torch_device()
        if device.type != "tpu":
            raise StageFailed("the model is for a TPU, and torch.accelerator finds none")
        module = program_module(torch.export.load(folder / self.artifact), device)
        # A function, so that the module is not moved again; TPUs take fixed sizes alone.
        compiled: Any = torch.compile(module, backend="tpu", dynamic=False)
        return torch_predictor(lambda *inputs: compiled(*inputs), threads)

    def loader_source(self) -> str:
        return """
import torch
import torch_tpu  # registers the device and its backend of torch.compile
from torch.export.passes import move_to_device_pass


def load(folder, threads):
    torch.set_num_threads(threads)
    program = move_to_device_pass(torch.export.load(folder / "model.pt2"), "tpu")
    module = torch.compile(program.module(check_guards=False), backend="tpu", dynamic=False)

    def predict(*inputs):
        with torch.inference_mode():
            return module(*(torch.from_numpy(array).to("tpu") for array in inputs)).cpu().numpy()

    return predict
"""


BACKEND = Tpu()
