"""TorchScript: the network recorded once as a graph, its weights folded in."""

import json
import warnings
from collections.abc import Callable, Mapping
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.runner import StageFailed
from spaces.errors import in_one_line

SETTINGS = "torchscript.json"


class TorchScript(Backend):
    """Trace, freeze, and fuse convolutions with what follows; torch calls it deprecated, and it still runs."""

    name = "torchscript"
    artifact = "model.pt"
    precisions = ("fp32", "bf16", "fp16")
    packages = ("torch",)
    lacks: ClassVar[Mapping[str, str]] = {
        "int8": "PyTorch's own quantisation of activations (torch.ao.quantization) is deprecated"
    }
    runs_all_because = "torch.jit.trace records one way through a network, whatever an input is"
    on_accelerator: ClassVar[bool] = True

    def lower(self, trained: Trained, folder: Path) -> None:
        import torch

        from runners.lowering.exported_program import module_at_precision
        from runners.lowering.free_sizes import two_rows, written_out
        from runners.machine.accelerator import torch_device

        jit: Any = torch.jit  # its functions carry no types
        module = module_at_precision(trained)
        inputs = two_rows(trained.example)
        try:
            with warnings.catch_warnings(), written_out(), torch.no_grad():
                warnings.simplefilter("ignore")
                jit.save(jit.freeze(jit.trace(module, inputs, check_trace=False)), folder / self.artifact)
        except Exception as error:
            raise StageFailed(f"TorchScript cannot record this network ({in_one_line(error)})") from error
        settings = {"optimised": _runs_optimised(folder, inputs, str(torch_device()))}
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import torch_predictor
        from runners.machine.accelerator import torch_device
        from runners.machine.denormals import flush_denormals

        flush_denormals()
        return torch_predictor(load_module(folder, str(torch_device())), threads)

    def loader_source(self) -> str:
        return f"""
import json
import warnings
from typing import Any

import torch


{getsource(load_module)}

def load(folder, threads):
    torch.set_flush_denormal(True)  # numbers below 1e-38 count as zero, as where this model was timed
    torch.set_num_threads(threads)
    module = load_module(folder, "cpu")

    def predict(*inputs):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, inputs)).numpy()

    return predict
"""


def load_module(folder: Any, device: str) -> Any:
    """The graph in ``folder`` on ``device``, a function of tensors; ``predict.py`` holds the source of this function.

    It is optimised here and not before saving: the layouts that are chosen belong to this machine and cannot be saved.
    """
    import torch

    settings = folder / "torchscript.json"
    optimised = not settings.exists() or json.loads(settings.read_text())["optimised"]
    jit: Any = torch.jit  # its functions carry no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Moved as it is loaded, since a network that was frozen keeps its weights as constants.
        module = jit.load(folder / "model.pt", map_location=device)
        return jit.optimize_for_inference(module) if optimised else module


def _runs_optimised(folder: Path, inputs: tuple[Any, ...], device: str) -> bool:
    """Whether the graph that was just written runs with the layouts of oneDNN, which have no operator of every shape.

    An adaptive average pooling to more places than there are is one that fails: that of AlexNet at 64 x 64.
    """
    import torch

    module = load_module(folder, device)
    try:
        with torch.inference_mode():
            module(*(each.to(device) for each in inputs))
    except RuntimeError:
        return False
    return True


BACKEND = TorchScript()
