"""Networks as ONNX files and their int8 form, and those that cannot be written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from runners_tests.backends.exported_artifact import write_artifact

from runners.artifacts.exported_folder import open_exported_folder
from runners.artifacts.integrity import read_document
from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs, one_by_one
from runners.lowering import onnx_files
from runners.lowering.onnx_export import export
from runners.lowering.onnx_files import remove_onnx, weights_file
from runners.lowering.quantisation import quantise_int8
from runners.quantisers.settings import QuantisationSettings
from runners.runner import StageFailed
from runners.workloads.synthetic import make_network, make_splits
from spaces.errors import RequestError

INPUTS = make_splits()["validation"][0][:4]


def test_a_network_without_anything_to_quantise_is_an_error(tmp_path: Path) -> None:
    class OnlyMeans(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cos(x).flatten(1)

    export(OnlyMeans().eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx")
    with pytest.raises(StageFailed, match="no operation to quantise"):
        quantise_int8(tmp_path / "plain.onnx", one_by_one(INPUTS), tmp_path / "int8.onnx")


def test_exporting_and_quantising_print_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert export(make_network().eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx") == ""
    quantise_int8(tmp_path / "plain.onnx", one_by_one(INPUTS), tmp_path / "int8.onnx")
    assert capfd.readouterr().out == ""


def test_the_older_exporter_steps_in_with_the_reason(tmp_path: Path) -> None:
    class Branches(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * 2 if x.sum() > -1e9 else x).flatten(1)

    reason = export(Branches().eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx")
    assert reason
    assert "\n" not in reason
    assert (tmp_path / "plain.onnx").exists()


def test_a_network_that_no_exporter_can_write_is_an_error(tmp_path: Path) -> None:
    class Refuses(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not today")

    with pytest.raises(StageFailed, match="not today"):
        export(Refuses().eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx")


def test_an_operator_that_onnx_or_openvino_does_not_have_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Erfinv(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.erfinv(x.tanh()).flatten(1)

    class Determinant(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(x).reshape(-1, 1)

    example, plain = ExampleInputs.of(np.ones((1, 4, 4), np.float32)), tmp_path / "plain.onnx"
    with pytest.raises(StageFailed, match=r"cannot be written as ONNX: it has no function for prims.erf_inv; and the"):
        export(Erfinv().eval(), example, plain)
    assert capfd.readouterr().out == ""
    export(Determinant().eval(), example, plain)
    trained = Trained(Determinant().eval(), lambda: plain, example, "fp32")
    with pytest.raises(StageFailed, match=r"^OpenVINO has no operator for Det-20 of ONNX$"):
        find_backend("openvino").lower(trained, tmp_path)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_weights_that_are_too_many_for_one_file_are_in_another_and_go_into_the_exported_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_files, "LARGEST_BYTES", 1000)
    network, example, backend = make_network().eval(), ExampleInputs.of(INPUTS[:1]), find_backend(name)
    plain, lowered = tmp_path / "exported.onnx", tmp_path / "lowered"
    lowered.mkdir()
    export(network, example, plain)
    assert weights_file(plain).stat().st_size > plain.stat().st_size
    backend.lower(Trained(network, lambda: plain, example, "fp32"), lowered)
    remove_onnx(plain)
    assert [*tmp_path.iterdir()] == [lowered]
    folder = write_artifact(tmp_path / "exported", name, "fp32", lowered, INPUTS[:1])
    weights = {"onnxruntime": "model.onnx.data", "openvino": "model.bin"}[name]
    assert weights in read_document(folder).files
    given = open_exported_folder(folder, threads=1, batch=1)(INPUTS)
    with torch.inference_mode():
        np.testing.assert_allclose(given, network(torch.from_numpy(INPUTS)), atol=1e-4)
    (folder / weights).write_bytes(b"changed")
    with pytest.raises(RequestError, match=f"{weights} was changed after it was written"):
        read_document(folder)


def test_a_tool_that_handles_one_message_of_protobuf_refuses_weights_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_files, "LARGEST_BYTES", 1000)
    export(make_network().eval(), ExampleInputs.of(INPUTS[:1]), tmp_path / "plain.onnx")
    for quantiser in ("nncf", "onnxruntime"):
        with pytest.raises(StageFailed, match=r"quantise the graph as one message of protobuf, .* less than 2 GiB"):
            quantise_int8(
                tmp_path / "plain.onnx",
                one_by_one(INPUTS),
                tmp_path / "int8.onnx",
                QuantisationSettings(quantiser=quantiser),
            )


def test_a_large_network_that_cannot_be_written_says_how_large_it_is(tmp_path: Path) -> None:
    class Refuses(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not today")

    with torch.device("meta"):  # no memory is taken
        network = Refuses(2**15, 2**15, bias=False)
    with pytest.raises(StageFailed, match=r"of 4.0 GiB, cannot be written as ONNX: \w+"):
        export(network, ExampleInputs.of(np.zeros((1, 2**15), np.float32)), tmp_path / "large.onnx")
