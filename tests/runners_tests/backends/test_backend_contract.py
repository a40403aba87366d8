"""The contract rejects backends that break it, and no others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.backends import backend_contract as contract

from runners.backend import Backend, Trained
from runners.backends.eager import Eager
from runners.inputs import ExampleInputs
from runners.workloads.synthetic import make_network


class Specimen(Eager):
    """A backend that spoils the answers of eager in one way."""

    def __init__(self, spoil: Any) -> None:
        self.spoil = spoil

    def open(self, *arguments: Any, **named: Any) -> Any:
        return self.spoil(super().open(*arguments, **named))


class IgnoresPrecision(Eager):
    """A backend that lowers everything to fp32."""

    def lower(self, trained: Trained, folder: Path) -> None:
        super().lower(replace(trained, precision="fp32"), folder)


def _overwrites(predict: Any) -> Any:
    buffers: dict[int, Any] = {}

    def spoiled(inputs: Any) -> Any:
        buffer = buffers.setdefault(len(inputs), np.zeros((len(inputs), 4), np.float32))
        buffer[:] = predict(inputs)
        return buffer

    return spoiled


SPECIMENS = [
    pytest.param(Specimen(lambda predict: predict), "fp32", None, id="faithful"),
    pytest.param(Specimen(lambda predict: predict), "bf16", None, id="faithful-bf16"),
    pytest.param(Specimen(lambda p: lambda x: p(x)[..., None]), "fp32", "shape", id="shape"),
    pytest.param(Specimen(lambda p: lambda x: p(x[:1])), "fp32", "shape", id="one-row-only"),
    pytest.param(Specimen(lambda p: lambda x: p(x).astype(np.float64)), "fp32", "float64", id="dtype"),
    pytest.param(Specimen(lambda p: lambda x: p(x) * 1.01), "fp32", "away from eager", id="inexact"),
    pytest.param(Specimen(lambda p: lambda x: p(x)[:, ::-1].copy()), "bf16", "agrees", id="wrong-classes"),
    pytest.param(Specimen(_overwrites), "fp32", "overwrote", id="overwrites"),
    pytest.param(
        Specimen(lambda p: lambda x: p(x) + np.float32(len(x) == 1)), "fp32", "batch size", id="batch-dependent"
    ),
    pytest.param(IgnoresPrecision(), "bf16", "precision is ignored", id="ignores-precision"),
]


@pytest.mark.parametrize(("specimen", "precision", "complaint"), SPECIMENS)
def test_the_contract_rejects_a_broken_backend_and_only_that(
    specimen: Backend,
    precision: str,
    complaint: str | None,
    network: torch.nn.Module,
    inputs: Any,
    reference: Any,
    tmp_path: Path,
) -> None:
    specimen.lower(Trained(network, lambda: tmp_path, ExampleInputs.of(inputs[:1]), precision), tmp_path)
    found = contract.collect(specimen.open(tmp_path, threads=1, batch=1, build=make_network), inputs)
    if complaint is None:
        contract.check(found, reference, precision)
    else:
        with pytest.raises(AssertionError, match=complaint):
            contract.check(found, reference, precision)
