"""Runtimes of hardware that is not here, with stand-ins for their packages: what they ask of them, why they are off."""

import ctypes
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from runners.backend import Trained
from runners.backends import find_backend, tensorrt, torch_tensorrt
from runners.inputs import ExampleInputs
from runners.lowering import torch_predictor
from runners.lowering.onnx_export import export
from runners.machine import accelerator
from runners.runner import StageFailed


class Context:
    """Runs the engine, which is an ONNX file here, on memory that it is given by address."""

    def __init__(self, engine: bytes) -> None:
        self.session = onnxruntime.InferenceSession(engine, providers=["CPUExecutionProvider"])
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.profile = -1

    def set_optimization_profile_async(self, profile: int, stream: int) -> None:
        self.profile = profile

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> None:
        least, _, most = tensorrt.BATCHES[self.profile]
        assert least <= shape[0] <= most
        self.shapes[name] = shape

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self.shapes["input"][0], 4)

    def execute_async_v3(self, stream: int) -> bool:
        size = int(np.prod(self.shapes["input"]))
        held = (ctypes.c_float * size).from_address(self.addresses["input"])
        given = np.frombuffer(held, np.float32).reshape(self.shapes["input"])
        answer = np.ascontiguousarray(self.session.run(["output"], {"input": given})[0])
        ctypes.memmove(self.addresses["output"], answer.ctypes.data, answer.nbytes)
        return True


class Stand(ModuleType):
    """The part of ``tensorrt`` that is used; a file that holds ``unreadable`` cannot be parsed."""

    def __init__(self) -> None:
        super().__init__("tensorrt")
        self.profiles: list[Any] = []
        self.Logger = type("Logger", (), {"ERROR": 1, "__init__": lambda self, level: None})
        self.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
        self.TensorIOMode = SimpleNamespace(INPUT="in")
        self.BuilderFlag = SimpleNamespace(SPARSE_WEIGHTS="sparse weights")
        self.network = SimpleNamespace(file=b"")
        self.allowed: list[str] = []

    def Builder(self, logger: Any) -> Any:
        profile = SimpleNamespace(set_shape=lambda name, *shapes: self.profiles.append((name, shapes)))
        return SimpleNamespace(
            create_network=lambda flags: self.network,
            create_builder_config=lambda: SimpleNamespace(
                add_optimization_profile=lambda profile: 0, set_flag=self.allowed.append
            ),
            create_optimization_profile=lambda: profile,
            build_serialized_network=lambda network, config: network.file,
        )

    def OnnxParser(self, network: Any, logger: Any) -> Any:
        def parse(path: str) -> bool:
            network.file = Path(path).read_bytes()
            return network.file != b"unreadable"

        error = SimpleNamespace(desc=lambda: "no importer for operator Erfinv")
        return SimpleNamespace(parse_from_file=parse, num_errors=1, get_error=lambda number: error)

    def Runtime(self, logger: Any) -> Any:
        def engine(held: bytes) -> Any:
            return held and SimpleNamespace(
                num_optimization_profiles=2,
                num_io_tensors=2,
                create_execution_context=lambda: Context(held),
                get_tensor_name=lambda number: ("input", "output")[number],
                get_tensor_mode=lambda name: "in" if name == "input" else "out",
            )

        return SimpleNamespace(deserialize_cuda_engine=lambda held: engine(held) or None)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    made = Stand()
    monkeypatch.setitem(sys.modules, "tensorrt", made)
    stream = SimpleNamespace(cuda_stream=0, synchronize=lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    return made


def test_an_engine_has_a_profile_for_one_example_and_one_for_several(
    stand: Stand, network: torch.nn.Module, inputs: Any, reference: Any, tmp_path: Path
) -> None:
    example, backend = ExampleInputs.of(inputs[:1]), find_backend("tensorrt")
    export(network, example, tmp_path / "plain.onnx")
    (tmp_path / "lowered").mkdir()
    backend.lower(Trained(network, lambda: tmp_path / "plain.onnx", example, "fp32"), tmp_path / "lowered")
    shape = inputs.shape[1:]
    assert stand.profiles == [("input", tuple((size, *shape) for size in sizes)) for sizes in tensorrt.BATCHES]
    assert stand.allowed == ["sparse weights"]
    predict = backend.open(tmp_path / "lowered", threads=1, batch=1)
    np.testing.assert_allclose(predict(inputs[:1]), reference[:1], atol=1e-4)
    many = np.concatenate([inputs] * (300 // len(inputs) + 1))
    np.testing.assert_allclose(predict(many)[: len(inputs)], reference, atol=1e-4)
    (tmp_path / "lowered" / "model.engine").write_bytes(b"")
    with pytest.raises(StageFailed, match="built for another GPU or by another TensorRT; lower the model again here"):
        backend.open(tmp_path / "lowered", threads=1, batch=1)


def test_an_operator_that_tensorrt_does_not_have_is_named(
    stand: Stand, network: torch.nn.Module, inputs: Any, tmp_path: Path
) -> None:
    (tmp_path / "plain.onnx").write_bytes(b"unreadable")
    trained = Trained(network, lambda: tmp_path / "plain.onnx", ExampleInputs.of(inputs[:1]), "fp32")
    with pytest.raises(StageFailed, match=r"TensorRT cannot read this network .no importer for operator Erfinv"):
        find_backend("tensorrt").lower(trained, tmp_path)


class TorchTensorRtStand(ModuleType):
    """The part of ``torch_tensorrt`` that is used; its programs are those of PyTorch."""

    def __init__(self, refuses: bool = False) -> None:
        super().__init__("torch_tensorrt")
        self.inputs: list[Any] = []
        self.options: list[Any] = []
        self.graphs: list[bool] = []
        self.Input = lambda **given: given
        self.dynamo = SimpleNamespace(compile=self.compile)
        self.runtime = SimpleNamespace(set_cudagraphs_mode=self.graphs.append)
        self.refuses = refuses

    def compile(self, program: Any, inputs: Any, **options: Any) -> Any:
        if self.refuses:
            raise RuntimeError("no engine for aten.erfinv")
        self.inputs.append(inputs)
        self.options.append(options)
        return program.module()

    def save(self, module: Any, path: str, arg_inputs: Any, dynamic_shapes: Any) -> None:
        torch.export.save(torch.export.export(module, tuple(arg_inputs), dynamic_shapes=dynamic_shapes), path)

    def load(self, path: str) -> Any:
        return torch.export.load(path)


@pytest.mark.parametrize(
    ("mode", "options", "graphs"),
    [("default", {}, False), ("max-autotune", {"optimization_level": 5}, False), ("reduce-overhead", {}, True)],
)
def test_torch_tensorrt_has_a_program_for_one_example_and_one_for_several(
    mode: str,
    options: dict[str, Any],
    graphs: bool,
    network: torch.nn.Module,
    inputs: Any,
    reference: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = TorchTensorRtStand()
    monkeypatch.setitem(sys.modules, "torch_tensorrt", made)
    backend, example = find_backend("torch_tensorrt"), ExampleInputs.of(inputs[:1])
    trained = Trained(network, lambda: tmp_path, example, "fp32", options={"compile_mode": mode})
    backend.lower(trained, tmp_path)
    shape, kind = inputs.shape[1:], torch.float32
    least, best, most = ((rows, *shape) for rows in torch_tensorrt.BATCHES)
    alone = {"shape": (1, *shape), "dtype": kind}
    assert made.inputs == [[alone], [{"min_shape": least, "opt_shape": best, "max_shape": most, "dtype": kind}]]
    assert made.options == [{"disable_tf32": True, "min_block_size": 1, **options}] * 2
    predict = backend.open(tmp_path, threads=1, batch=1)
    made.runtime.set_cudagraphs_mode(not graphs)  # as another model does that is open in the same process
    predict(inputs[:1])
    assert made.graphs[-1] is graphs
    for rows in (1, 5):
        np.testing.assert_allclose(predict(inputs[:rows]), reference[:rows], atol=1e-4)
    many = np.concatenate([inputs] * (300 // len(inputs) + 1))
    np.testing.assert_allclose(predict(many)[: len(inputs)], reference, atol=1e-4)


def test_what_torch_tensorrt_cannot_compile_or_open_is_told(
    network: torch.nn.Module, inputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, backend = TorchTensorRtStand(refuses=True), find_backend("torch_tensorrt")
    monkeypatch.setitem(sys.modules, "torch_tensorrt", made)
    trained = Trained(network, lambda: tmp_path, ExampleInputs.of(inputs[:1]), "fp32")
    with pytest.raises(StageFailed, match=r"Torch-TensorRT cannot compile this network .*no engine for aten.erfinv"):
        backend.lower(trained, tmp_path)

    def load(path: str) -> Any:
        raise RuntimeError("engine of another device")

    monkeypatch.setattr(made, "load", load)
    with pytest.raises(
        StageFailed, match=r"cannot open the model here .RuntimeError: engine of another device.; lower it again"
    ):
        backend.open(tmp_path, threads=1, batch=1)


def test_a_program_is_compiled_by_the_backend_of_the_tpu_for_fixed_sizes(
    network: torch.nn.Module, inputs: Any, reference: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, asked = find_backend("tpu"), []
    backend.lower(Trained(network, lambda: tmp_path, ExampleInputs.of(inputs[:1]), "fp32"), tmp_path)
    with pytest.raises(StageFailed, match=r"the model is for a TPU, and torch.accelerator finds none"):
        backend.open(tmp_path, threads=1, batch=1)
    monkeypatch.setattr(accelerator, "torch_device", lambda: SimpleNamespace(type="tpu"))
    monkeypatch.setattr(torch_predictor, "program_module", lambda program, device: program.module())
    monkeypatch.setattr(torch, "compile", lambda module, **how: (asked.append(how), module)[1])
    predict = backend.open(tmp_path, threads=1, batch=1)
    np.testing.assert_allclose(predict(inputs), reference, atol=1e-5)
    assert asked == [{"backend": "tpu", "dynamic": False}]


@pytest.mark.parametrize(
    ("name", "kind", "installed", "reason"),
    [
        ("tensorrt", "cpu", True, "needs an NVIDIA GPU, and torch finds none"),
        ("tensorrt", "cuda", False, "needs `pip install 'tensorrt'`"),
        ("tensorrt", "cuda", True, None),
        ("torch_tensorrt", "cpu", True, "needs an NVIDIA GPU, and torch finds none"),
        ("torch_tensorrt", "cuda", False, "needs `pip install 'torch_tensorrt'`"),
        ("torch_tensorrt", "cuda", True, None),
        ("tpu", "cpu", False, "needs a TPU, and on its host `pip install 'frontrunner[tpu]'`"),
        ("tpu", "cpu", True, "needs a TPU, and torch.accelerator finds none"),
        ("tpu", "tpu", True, None),
    ],
)
def test_without_the_hardware_or_the_package_the_reason_says_so(
    name: str, kind: str, installed: bool, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners import backend

    monkeypatch.setattr(backend, "find_spec", lambda package: package if installed or package == "torch" else None)
    monkeypatch.setattr(accelerator, "torch_device", lambda: SimpleNamespace(type=kind))
    assert find_backend(name).unsupported() == reason
    assert not find_backend(name).by_default
