"""Programs of torch.export and TorchScript are run as they are, in the runtimes that take them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from runners.artifacts.trust import workload_code
from runners.backend import Trained
from runners.backends import find_backend
from runners.executors.inspection import inspect_on_this_machine
from runners.inputs import ExampleInputs
from runners.judged_network import judged
from runners.lowering.onnx_export import export
from runners.lowering.weights import load_network, save_network
from runners.models.program_file import ProgramFile
from runners.runner import StageFailed
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from spaces.errors import RequestError
from spaces.space_document import make_space

INPUTS = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images).flatten(1))


def exported(network: nn.Module, file: Path) -> Path:
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(network, (INPUTS,), dynamic_shapes=({0: batch},)), file)
    return file


def scripted(network: nn.Module, file: Path) -> Path:
    torch.jit.save(torch.jit.script(network), file)
    return file


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.mark.parametrize(
    ("write", "name", "runtimes"),
    [
        (exported, "net.pt2", ("eager", "torchscript", "onnxruntime", "openvino")),
        (scripted, "net.pt", ("eager", "torchscript")),
    ],
)
def test_a_program_answers_alike_in_every_runtime_that_takes_it(
    tmp_path: Path, network: nn.Module, write: Callable[..., Path], name: str, runtimes: tuple[str, ...]
) -> None:
    build = ProgramFile(write(network, tmp_path / name))
    (tmp_path / "weights").mkdir()
    save_network(build(), tmp_path / "weights")
    restored, example = load_network(build, tmp_path / "weights"), ExampleInputs.of(INPUTS[:1].numpy())
    assert not restored.train().training

    def onnx() -> Path:
        export(restored, example, tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    expected = network(INPUTS).detach().numpy()
    for runtime in runtimes:
        (tmp_path / runtime).mkdir()
        backend = find_backend(runtime)
        backend.lower(Trained(restored, onnx, example, "fp32", build), tmp_path / runtime)
        outputs = backend.open(tmp_path / runtime, threads=1, batch=2, build=build)(INPUTS.numpy())
        np.testing.assert_allclose(outputs, expected, atol=1e-5)
    if "openvino" not in runtimes:
        with pytest.raises(StageFailed, match=r"TorchScript program cannot be written as ONNX; .*\.pt2\) can"):
            onnx()


def mapping(folder: Path, model: Path, **settings: Any) -> dict[str, Any]:
    for split, level in (("train", 0), ("val", 30), ("test", 60)):
        for name, shade in (("dark", 10), ("light", 150)):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (level + shade, 0, 0)).save(folder / split / name / "0.png")
    return {"model": str(model), "data": {"imagefolder": str(folder)}, "image_size": 8, **settings}


def test_a_study_file_takes_a_program_and_offers_nothing_that_trains_or_changes_it(
    tmp_path: Path, network: nn.Module
) -> None:
    file = exported(network, tmp_path / "net.pt2")
    reference = mapping(tmp_path / "images", file)
    environment, facts = inspect_on_this_machine(reference)
    assert facts.name == "net-images"
    assert environment.cannot_train == "the model is a compiled program, which can be neither trained nor changed"
    reasons = {(name, value): reason for name, value, reason in make_space({}, environment).reasons()}
    assert reasons == {}
    wanted = {"student_width": [1.0, 0.5], "channel_pruning": [0.0, 0.5], "runtime": ["eager", "openvino"]}
    space = make_space(wanted, environment)
    assert {(name, value) for name, value, _ in space.reasons()} == {("student_width", 0.5), ("channel_pruning", 0.5)}
    assert {configuration["runtime"] for configuration in space.configurations()} == {"eager", "openvino"}
    assert workload_code(reference) == (file,), "it can run code when it is loaded"
    before = fingerprint(resolve(reference), reference)
    torch.manual_seed(0)
    exported(nn.Sequential(Small().eval(), nn.Identity()), file)
    assert fingerprint(resolve(reference), reference) != before


def test_what_is_no_program_is_one_sentence(tmp_path: Path, network: nn.Module) -> None:
    torch.jit.save(torch.jit.freeze(torch.jit.script(network)), tmp_path / "frozen.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    torch.save(network.state_dict(), tmp_path / "state.pt")
    (tmp_path / "text.pt2").write_text("no program")
    for name, sentence in (
        ("frozen.pt", r"frozen\.pt holds no weights that could be kept apart, as after torch\.jit\.freeze"),
        ("weights.pt", r"weights\.pt cannot be loaded as a program \("),
        ("state.pt", r"state\.pt cannot be loaded as a program \("),
        ("text.pt2", r"text\.pt2 cannot be loaded as a program \(.*write one with torch\.export\.save"),
        ("gone.pt2", r"there is no file .*gone\.pt2"),
    ):
        with pytest.raises(RequestError, match=sentence) as refusal:
            ProgramFile(tmp_path / name)()
        assert "\n" not in str(refusal.value)
    file = exported(network, tmp_path / "net.pt2")
    with pytest.raises(RequestError, match="a program comes with its weights; leave this out"):
        resolve(mapping(tmp_path / "images", file, weights="DEFAULT"))


class Ids(nn.Module):
    """Two inputs with names, and a tensor that is made in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.head((self.table(ids + places) * mask[:, :, None]).sum(1))


def ids_program(folder: Path, kind: str) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A program loaded from a file, its two inputs, and what the network gives for them."""
    torch.manual_seed(0)
    network, ids, mask = Ids().eval(), torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    file = folder / ("net.pt" if kind == "scripted" else "net.pt2")
    rows = {0: torch.export.Dim("batch")}
    if kind == "scripted":
        scripted(network, file)
    elif kind == "by name":
        named, shapes = {"ids": ids, "mask": mask}, {"ids": rows, "mask": rows}
        torch.export.save(torch.export.export(network, (), named, dynamic_shapes=shapes), file)
    else:
        torch.export.save(torch.export.export(network, (ids, mask), dynamic_shapes=(rows, rows)), file)
    return ProgramFile(file)(), ids, mask, network(ids, mask).detach()


@pytest.mark.parametrize("kind", ["by place", "by name", "scripted"])
def test_a_program_is_called_by_place_or_by_name_however_it_was_exported(tmp_path: Path, kind: str) -> None:
    program, ids, mask, expected = ids_program(tmp_path, kind)
    for outputs in (program(ids, mask), program(mask=mask, ids=ids), judged(program, ("mask", "ids"), None)(mask, ids)):
        assert torch.allclose(outputs, expected)
    if kind != "scripted":
        with pytest.raises(TypeError, match="the program takes ids, mask and was given ids, masks"):
            program(ids=ids, masks=mask)


def test_the_tensors_that_a_program_makes_follow_it_to_another_device(tmp_path: Path) -> None:
    program, ids, mask, _ = ids_program(tmp_path, "by place")

    def devices() -> set[str]:
        graph = program.program.graph
        return {str(node.kwargs["device"]) for node in graph.nodes if "device" in node.kwargs}

    assert devices() == {"cpu"}
    away = judged(program, ("ids", "mask"), None).to("meta")
    assert devices() == {"meta"}
    assert away(ids.to("meta"), mask.to("meta")).device.type == "meta"
    program.to_empty(device="cpu").bfloat16()
    assert devices() == {"cpu"}


def test_where_a_program_lies_does_not_change_the_fingerprint(tmp_path: Path, network: nn.Module) -> None:
    file = exported(network, tmp_path / "net.pt2")
    reference = mapping(tmp_path / "images", file)
    (tmp_path / "other").mkdir()
    moved = {**reference, "model": str(shutil.copy(file, tmp_path / "other" / "net.pt2"))}
    assert fingerprint(resolve(moved), moved) == fingerprint(resolve(reference), reference)
