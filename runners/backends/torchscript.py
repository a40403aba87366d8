"""TorchScript: the network recorded once as a graph, its weights folded in."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.runner import StageFailed
from spaces.errors import in_one_line


class TorchScript(Backend):
    """Trace, freeze, and fuse convolutions with what follows; torch calls it deprecated, and it still runs."""

    name = "torchscript"
    artifact = "model.pt"
    precisions = ("fp32", "bf16", "fp16")
    packages = ("torch",)
    on_accelerator: ClassVar[bool] = True

    def lower(self, trained: Trained, folder: Path) -> None:
        import torch

        from runners.lowering.exported_program import module_at_precision
        from runners.lowering.free_sizes import two_rows, written_out

        jit: Any = torch.jit  # its functions carry no types
        module = module_at_precision(trained)
        try:
            with warnings.catch_warnings(), written_out(), torch.no_grad():
                warnings.simplefilter("ignore")
                frozen = jit.freeze(jit.trace(module, two_rows(trained.example), check_trace=False))
                jit.save(frozen, folder / self.artifact)
        except Exception as error:
            raise StageFailed(f"TorchScript cannot record this network ({in_one_line(error)})") from error

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        import torch

        from runners.lowering.torch_predictor import torch_predictor
        from runners.machine.accelerator import torch_device
        from runners.machine.denormals import flush_denormals

        flush_denormals()
        jit: Any = torch.jit  # its functions carry no types
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Not done before saving: the layouts that it chooses belong to this machine and cannot be saved.
            # Moved as it is loaded, since a network that was frozen keeps its weights as constants.
            module = jit.optimize_for_inference(jit.load(folder / self.artifact, map_location=torch_device()))
        return torch_predictor(module, threads)

    def loader_source(self) -> str:
        return """
import warnings

import torch


def load(folder, threads):
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero, as where this model was timed
    torch.set_num_threads(threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.optimize_for_inference(torch.jit.load(folder / "model.pt", map_location="cpu"))

    def predict(*inputs):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, inputs)).numpy()

    return predict
"""


BACKEND = TorchScript()
