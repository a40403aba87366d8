"""A network that acts otherwise while it is trained, or cannot be trained, is found before a search."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from runners_tests.workloads.sound_workload import SOUND, fails, network
from torch import nn

from runners.workload import Workload
from runners.workload_loading.check import check_contract
from spaces.errors import RequestError
from spaces.plans import TrainingPlan


class TrainsOtherwise(nn.Module):
    """Answers in training mode with whatever a function makes of the outputs."""

    def __init__(self, answer: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.inner, self.answer = network(), answer

    def forward(self, x: torch.Tensor) -> Any:
        return self.answer(self.inner(x)) if self.training else self.inner(x)


def training_otherwise(answer: Callable[[torch.Tensor], Any]) -> Workload:
    return replace(SOUND, model=lambda: TrainsOtherwise(answer), loss=lambda outputs, wanted: outputs.square().mean())


def normalised() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.BatchNorm1d(3))


class Diverges(torch.autograd.Function):
    """The outputs as they are, with gradients that are infinite."""

    @staticmethod
    def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(_: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] * float("inf")


BROKEN: dict[str, tuple[Workload, str]] = {
    "several answers in training": (
        training_otherwise(lambda y: (y, y)),
        r"while it is trained, its model answers with a tuple of \(4, 3\), \(4, 3\); it must answer with one tensor",
    ),
    "another shape in training": (
        training_otherwise(lambda y: y[:, :2]),
        r"while it is trained, its model answers 4 examples with shape \(4, 2\), and when evaluated with \(4, 3\)",
    ),
    "training fails": (training_otherwise(fails), r"in training mode on inputs of shape \(4, .* ZeroDivisionError: no"),
    "no gradient": (training_otherwise(torch.Tensor.detach), "its loss depends on no weight of its model"),
    "loss that sees no outputs": (
        replace(SOUND, loss=lambda outputs, wanted: torch.tensor(1.0, requires_grad=True)),
        "its loss depends on no weight of its model",
    ),
    "all frozen": (
        replace(SOUND, model=lambda: network().requires_grad_(False)),
        "none of its model's parameters can be trained",
    ),
    "training diverges": (training_otherwise(Diverges.apply), "one training step makes its weights NaN or infinite"),
    "batch of one": (
        replace(SOUND, model=normalised, training=TrainingPlan(batch_size=1)),
        r"batch normalisation needs two examples or more, and a batch has one .* batch_size is 1\) failed: ValueError",
    ),
    "batch of one for each worker": (
        replace(SOUND, model=normalised, training=TrainingPlan(batch_size=2, workers=2)),
        "batch_size is 2 for 2 workers",
    ),
}


@pytest.mark.parametrize("breach", BROKEN)
def test_a_training_step_that_cannot_work_is_refused_in_one_sentence(breach: str) -> None:
    workload, sentence = BROKEN[breach]
    with pytest.raises(RequestError, match=sentence) as refusal:
        check_contract(workload)
    assert "\n" not in str(refusal.value)


def test_a_pretrained_network_without_anything_to_train_passes() -> None:
    frozen = network().requires_grad_(False)
    check_contract(replace(SOUND, model=lambda: frozen, pretrained=True))
