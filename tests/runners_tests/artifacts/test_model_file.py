"""Every kind of model file opens as one function with the shape that it tells, and others are refused."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.input_shape import common_shape, common_shapes, made_up
from runners.artifacts.model_file import READERS, FileInput, open_model, require_readable
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.measuring.opening import Artifact
from spaces.errors import RequestError

EXAMPLE = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
JIT: Any = torch.jit
FREE, FIXED = (None, 3, 8, 8), (1, 3, 8, 8)
TOLD = {
    "model.onnx": FREE,
    "model.pt": None,
    "scripted.ts": None,
    "model.pt2": FREE,
    "fixed.pt2": FIXED,
    "model.xml": FREE,
    "exported": FREE,
}


class Several(nn.Module):
    """Takes two inputs, and gives a dictionary."""

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"first": one + other, "second": one}


class Doubled(nn.Module):
    """Takes one input and a setting that has a default, and gives two outputs."""

    def forward(self, inputs: torch.Tensor, factor: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
        return inputs * factor, inputs


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()


@pytest.fixture(scope="module")
def folder(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import openvino

    made = tmp_path_factory.mktemp("files")
    one = torch.from_numpy(EXAMPLE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(network, ExampleInputs.of(EXAMPLE), made / "model.onnx")
        JIT.trace(network, one).save(made / "model.pt")
        JIT.script(network).save(made / "scripted.ts")
        JIT.script(Several()).save(made / "several.pt")
        JIT.script(Doubled()).save(made / "doubled.pt")
        free = ({0: torch.export.Dim("batch")},)
        torch.export.save(
            torch.export.export(network, (torch.cat([one, one]),), dynamic_shapes=free), made / "model.pt2"
        )
        torch.export.save(torch.export.export(network, (one,)), made / "fixed.pt2")
        torch.export.save(torch.export.export(Several(), (one, one + 1)), made / "several.pt2")
    openvino.save_model(openvino.Core().read_model(made / "model.onnx"), made / "model.xml", compress_to_fp16=False)
    _same(made / "doubles.onnx", TensorProto.DOUBLE)
    _same(made / "integers.onnx", TensorProto.INT64)
    _export_folder(made)
    return made


def _same(path: Path, kind: Any) -> None:
    values = [helper.make_tensor_value_info(name, kind, ["batch", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def _export_folder(made: Path) -> None:
    lowered = made / "lowered"
    lowered.mkdir()
    (lowered / "model.onnx").write_bytes((made / "model.onnx").read_bytes())
    claims = {"accuracy": 0.9, "speedup": 2.0, "speedup_ci95": [1.9, 2.1], "macs": 10}
    model = ExportedModel(
        artifact=Artifact(lowered, "onnxruntime", threads=1),
        precision="fp32",
        build=lambda: None,
        example=ExampleInputs.of(EXAMPLE),
        configuration={"runtime": "onnxruntime"},
        claims=claims,
        baseline=claims,
        measured={"device": "some machine", "method": "pairs"},
        workload="network",
        origin={"study": "night", "trial": 7},
    )
    write_exported_folder(made / "exported", model)


@pytest.mark.parametrize("name", TOLD)
def test_each_kind_tells_its_shape_and_answers_as_the_network_does(name: str, folder: Path, network: nn.Module) -> None:
    model = open_model(folder / name, threads=1)
    assert model.inputs == (FileInput("float32", TOLD[name]),)
    with torch.no_grad():
        expected = network(torch.from_numpy(EXAMPLE)).numpy()
    predict = model.make_predictor((EXAMPLE.shape,))
    outputs = predict(EXAMPLE)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    predict(EXAMPLE * 2)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_every_suffix_is_tried_here() -> None:
    assert {Path(name).suffix for name in TOLD} - {""} == set(READERS) - {".torchscript"}


def test_the_first_of_several_outputs_is_given_and_a_default_is_no_input(folder: Path) -> None:
    outputs = open_model(folder / "doubled.pt", threads=1).make_predictor((EXAMPLE.shape,))(EXAMPLE)
    np.testing.assert_array_equal(outputs, EXAMPLE * 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("several.pt", "takes Tensor, Tensor, and TorchScript tells neither types nor shapes"),
        ("doubles.onnx", "takes an input of double; give a model whose inputs are float32, int32, int64, bool"),
    ],
)
def test_a_model_whose_inputs_cannot_be_made_up_is_refused(name: str, words: str, folder: Path) -> None:
    with pytest.raises(RequestError, match=words):
        open_model(folder / name, threads=1)


def test_several_inputs_and_whole_numbers_are_told_and_made_up(folder: Path) -> None:
    several = open_model(folder / "several.pt2", threads=1)
    assert several.inputs == (FileInput("float32", FIXED), FileInput("float32", FIXED))
    shapes = common_shapes({"a": several.inputs, "b": several.inputs})
    one, other = made_up(["float32", "float32"], shapes, seed=0)
    np.testing.assert_allclose(several.make_predictor(shapes)(one, other), one + other, atol=1e-6)
    whole = open_model(folder / "integers.onnx", threads=1)
    (shape,) = common_shapes({"a": whole.inputs}, batch=2)
    (ids,) = made_up(["int64"], (shape,), seed=0)
    np.testing.assert_array_equal(whole.make_predictor((shape,))(ids), [[1, 0, 1, 0], [1, 0, 1, 0]])


@pytest.mark.parametrize(
    ("others", "wishes", "words"),
    [
        (["float32", "int64"], {}, "a takes float32, bool and b float32, int64; give two models that take the same"),
        (["float32"], {}, "a takes float32, bool and b float32; give"),
        (["float32", "bool"], {"given": (1, 5)}, "--shape 1,5: a takes 2 inputs, and --shape is that of one; leave it"),
        (["float32", "bool"], {}, "a and b leave sizes of several inputs free, and --shape gives that of one input"),
    ],
)
def test_several_inputs_that_do_not_fit_are_refused(others: Any, wishes: Any, words: str) -> None:
    given = [FileInput(kind, (None, None)) for kind in ("float32", "bool")]
    with pytest.raises(RequestError, match=words):
        common_shapes({"a": given, "b": [FileInput(kind, (None, None)) for kind in others]}, **wishes)


@pytest.mark.parametrize("suffix", READERS)
def test_a_damaged_file_is_refused_with_its_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"PK\x03\x04 no model")
    with pytest.raises(RequestError, match="broken"):
        open_model(path, threads=1)


def test_a_changed_exported_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (folder / "exported").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "model.onnx").write_bytes(b"other")
    with pytest.raises(RequestError, match=r"model\.onnx was changed"):
        open_model(copy, threads=1)


def test_what_is_not_there_or_of_no_known_kind_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_text("")
    for name, words in (("none.pt", "does not exist"), ("model.h5", "unknown kind"), (".", "frontrunner.json")):
        with pytest.raises(RequestError, match=words):
            require_readable(tmp_path / name)


def test_one_shape_is_put_together_from_both_models_and_the_wishes() -> None:
    assert common_shape({"a": FREE, "b": None}) == (1, 3, 8, 8)
    assert common_shape({"a": FREE, "b": None}, batch=4) == (4, 3, 8, 8)
    assert common_shape({"a": (None, 3, None, 8), "b": (2, None, 8, None)}) == (2, 3, 8, 8)
    assert common_shape({"a": None, "b": None}, given=(2, 5)) == (2, 5)
    assert common_shape({"a": (None, None), "b": None}, given=(2, 5), batch=2) == (2, 5)


@pytest.mark.parametrize(
    ("told", "wishes", "words"),
    [
        ({"a": None, "b": None}, {}, "a and b do not tell"),
        ({"a": (None, None, 8), "b": None}, {}, "--shape"),
        ({"a": FREE, "b": (None, 28)}, {}, r"a takes an input of \?,3,8,8 and b one of \?,28"),
        ({"a": FREE, "b": (None, 3, 9, 9)}, {}, r"\?,3,9,9"),
        ({"a": FIXED, "b": (2, 3, 8, 8)}, {}, "1,3,8,8 and b one of 2,3,8,8"),
        ({"a": FREE, "b": None}, {"given": (1, 3, 9, 9)}, r"--shape 1,3,9,9: a takes \?,3,8,8"),
        ({"a": FREE, "b": FIXED}, {"batch": 2}, "--batch 2: b fixes the batch at 1"),
        ({"a": None, "b": None}, {"given": (1, 5), "batch": 2}, "--batch 2: --shape fixes the batch at 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(told: Any, wishes: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        common_shape(told, **wishes)
