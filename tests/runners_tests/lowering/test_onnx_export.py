"""Networks as ONNX files and their int8 form, and those that cannot be written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from runners.inputs import ExampleInputs, one_by_one
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.runner import StageFailed
from runners.workloads.synthetic import make_network, make_splits

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


def test_a_network_that_is_too_large_for_the_format_is_told(tmp_path: Path) -> None:
    with torch.device("meta"):  # no memory is taken
        network = torch.nn.Linear(2**15, 2**15, bias=False)
    example = ExampleInputs.of(np.zeros((1, 2**15), np.float32))
    with pytest.raises(StageFailed, match=r"has 4.0 GiB of weights, and an ONNX file holds less than 2 GiB"):
        export(network, example, tmp_path / "large.onnx")
