"""TensorRT on an NVIDIA GPU: the ONNX file built into an engine for that GPU."""

from collections.abc import Callable
from inspect import getsource
from pathlib import Path
from typing import Any, ClassVar

from runners.backend import Backend, Predictor, Trained
from runners.inputs import ExampleInputs
from runners.runner import StageFailed

BATCHES = ((1, 1, 1), (2, 32, 256))
"""The smallest, the best and the largest batch of each optimisation profile; larger ones are run in parts."""


class TensorRt(Backend):
    """An engine with a profile for one example and one for several; tensors of PyTorch hold what goes in and out.

    Written against the documentation of TensorRT 11 and tested with a stand-in; no GPU has run it. NVIDIA's index has
    its libraries, so that no extra installs it everywhere.
    """

    name = "tensorrt"
    artifact = "model.engine"
    precisions = ("fp32", "int8")
    packages = ("tensorrt", "torch")
    reads_onnx = True
    note = "for NVIDIA GPUs alone"
    by_default: ClassVar[bool] = False
    takes_tensors: ClassVar[bool] = True
    for_this_machine: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    on_accelerator: ClassVar[bool] = True

    def unsupported(self) -> str | None:
        from runners.machine.accelerator import no_nvidia_gpu

        return no_nvidia_gpu() or super().unsupported()

    def lower(self, trained: Trained, folder: Path) -> None:
        if trained.example.is_dynamic:
            raise StageFailed("TensorRT is built for inputs of one size here, and these have a dynamic dimension")
        (folder / self.artifact).write_bytes(build_engine(trained.onnx(), trained.example))

    def open(self, folder: Path, *, threads: int, batch: int, build: Callable[[], Any] | None = None) -> Predictor:
        from runners.lowering.torch_predictor import torch_predictor

        try:
            call = open_engine(folder)
        except OSError as error:
            raise StageFailed(str(error)) from error
        return torch_predictor(call, threads)

    def loader_source(self) -> str:
        return f"""
from typing import Any

import torch


{getsource(open_engine)}

def load(folder, threads):
    call = open_engine(folder)

    def predict(*inputs):
        return call(*(torch.from_numpy(array).cuda() for array in inputs)).cpu().numpy()

    return predict
"""


def build_engine(onnx_path: Path, example: ExampleInputs) -> bytes:
    """The engine of an ONNX file, whose number formats are those of the file; int8 is in its Q and DQ operators.

    Raises:
        StageFailed: TensorRT cannot read the file or build the engine; an operator that it does not have is named.
    """
    import tensorrt

    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx_path)):
        said = "; ".join(str(parser.get_error(number).desc()) for number in range(parser.num_errors))
        raise StageFailed(f"TensorRT cannot read this network ({said or 'it said nothing'})")
    config = builder.create_builder_config()
    config.set_flag(tensorrt.BuilderFlag.SPARSE_WEIGHTS)  # for layers of which two of four weights in a row are zero
    for sizes in BATCHES:
        profile = builder.create_optimization_profile()
        for name, array in zip(example.names, example.arrays, strict=True):
            profile.set_shape(name, *((size, *array.shape[1:]) for size in sizes))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise StageFailed("TensorRT cannot build an engine of this network")
    return bytes(engine)


def open_engine(folder: Any) -> Any:
    """The engine in ``folder`` as a function of tensors on the GPU; ``predict.py`` holds the source of this function.

    Raises:
        OSError: It was built for another GPU or by another version.
    """
    import tensorrt
    import torch

    runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
    engine = runtime.deserialize_cuda_engine((folder / "model.engine").read_bytes())
    if engine is None:
        raise OSError("the engine was built for another GPU or by another TensorRT; lower the model again here")
    stream = torch.cuda.current_stream()
    contexts = []
    for profile in range(engine.num_optimization_profiles):
        contexts.append(engine.create_execution_context())
        contexts[profile].set_optimization_profile_async(profile, stream.cuda_stream)
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    given = [name for name in names if engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT]

    def call(*inputs: Any) -> Any:
        if len(inputs[0]) > 256:
            return torch.cat([call(*parts) for parts in zip(*(each.split(256) for each in inputs), strict=True)])
        context = contexts[0 if len(inputs[0]) == 1 else 1]
        held = [each.contiguous() for each in inputs]
        for name, tensor in zip(given, held, strict=True):
            context.set_input_shape(name, tuple(tensor.shape))
            context.set_tensor_address(name, tensor.data_ptr())
        shape = tuple(context.get_tensor_shape("output"))
        output = torch.empty(shape, dtype=torch.float32, device=held[0].device)
        context.set_tensor_address("output", output.data_ptr())
        stream = torch.cuda.current_stream()
        if not context.execute_async_v3(stream.cuda_stream):
            raise RuntimeError("TensorRT could not run the engine")
        stream.synchronize()
        return output

    return call


BACKEND = TensorRt()
