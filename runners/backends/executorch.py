"""ExecuTorch with XNNPACK on the CPU: PyTorch's own runtime for phones and boards."""

from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from inspect import getsource
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from runners.backend import Backend, Predictor, Trained
from runners.runner import StageFailed
from spaces.errors import in_one_line


class ExecuTorch(Backend):
    """Answers one example at a time, as its memory is planned for one size of inputs; a batch is called row by row."""

    name = "executorch"
    artifact = "model.pte"
    precisions = ("fp32", "int8")
    packages = ("executorch", "torchao", "torch")
    extra = "executorch"
    note = "for phones and boards; timed on this machine"
    by_default: ClassVar[bool] = False
    takes_tensors: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    quantises: ClassVar[bool] = True
    lacks: ClassVar[Mapping[str, str]] = {
        "bf16": "of its operators for XNNPACK only linear layers compute in it, where that is asked for",
    }

    def lower(self, trained: Trained, folder: Path) -> None:
        if trained.example.is_dynamic:
            raise StageFailed("ExecuTorch plans its memory for one size, and these inputs have a dynamic dimension")
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        from runners.lowering.free_sizes import written_out
        from runners.quantisers.of_xnnpack import quantise

        inputs = tuple(map(torch.from_numpy, trained.example.arrays))
        try:
            with written_out(), torch.no_grad(), redirect_stderr(StringIO()):
                program = torch.export.export(trained.module, inputs)
                if trained.precision == "int8":
                    program = quantise(program, trained.calibration())
                lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
        except StageFailed:
            raise
        except Exception as error:
            raise StageFailed(f"ExecuTorch cannot lower this network ({in_one_line(error)})") from error
        (folder / self.artifact).write_bytes(lowered.buffer)

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        predictor: Predictor = open_program(folder, threads)
        return predictor

    def loader_source(self) -> str:
        return f"""
from typing import Any

import numpy as np


{getsource(open_program)}

def load(folder, threads):
    return open_program(folder, threads)
"""


def open_program(folder: Any, threads: int) -> Any:
    """The program in ``folder`` as a function of a batch for each input, which is called row by row.

    The number of threads belongs to the process, and numbers below 1e-38 count as zero. ``predict.py`` of an exported
    folder holds the source of this function.
    """
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    torch.set_flush_denormal(True)
    portable_lib._unsafe_reset_threadpool(threads)  # its threads begin with that setting
    method = Runtime.get().load_program(folder / "model.pte").load_method("forward")

    def call(*inputs: Any) -> Any:
        if portable_lib._threadpool_get_thread_count() != threads:
            portable_lib._unsafe_reset_threadpool(threads)
        return method.execute(list(map(torch.from_numpy, inputs)))[0].numpy().copy()

    def predict(*inputs: Any) -> Any:
        return np.concatenate([call(*(array[row : row + 1] for array in inputs)) for row in range(len(inputs[0]))])

    return predict


BACKEND = ExecuTorch()
