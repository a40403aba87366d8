"""A student has the teacher's layers with fewer channels, starts as its class starts, and is trained."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from runners.workloads.synthetic import make_network
from spaces.model_context import ModelContext
from spaces.space_document import all_techniques

STUDENT_WIDTH = next(technique for technique in all_techniques() if technique.name == "student_width")


def student(
    teacher: nn.Module, width: float, seed: int = 0, initial: Callable[[], nn.Module] = make_network
) -> nn.Module:
    context = ModelContext((torch.zeros(1, 1, 8, 8),), seed, initial)
    made: nn.Module = STUDENT_WIDTH.apply(teacher, {"student_width": width}, context)
    return made


def test_every_layer_but_the_last_keeps_the_share_of_its_channels() -> None:
    named = student(make_network(), 0.5).named_parameters()
    weights = [tuple(weight.shape) for name, weight in named if "weight" in name]
    assert weights == [(8, 1, 3, 3), (8, 8, 3, 3), (4, 8)]


def test_no_weight_of_the_teacher_is_left() -> None:
    teacher = make_network()
    learned = {value for weight in teacher.parameters() for value in weight.flatten().tolist()}
    kept = {value for weight in student(teacher, 0.5).parameters() for value in weight.flatten().tolist()} & learned
    assert not kept


def test_another_seed_draws_other_weights() -> None:
    first, second = (student(make_network(), 0.5, seed)[0].weight for seed in (1, 2))  # type: ignore[index]
    assert not torch.equal(first, second)


class Scaled(nn.Module):
    """Has a parameter that belongs to no layer, and initial values of its own for that and for biases."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.head = nn.Linear(64, 4)
        self.scale = nn.Parameter(torch.full((4,), 0.1))
        for layer in (self.body[1], self.body[3]):
            nn.init.constant_(layer.bias, 3.0)
        self.body.requires_grad_(not frozen)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images)) * self.scale  # type: ignore[no-any-return]


def test_a_student_starts_as_its_class_starts() -> None:
    teacher = Scaled()
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.add_(7.0)
    made = student(teacher, 0.5, initial=Scaled)
    assert made.scale.tolist() == pytest.approx([0.1] * 4), "a bare parameter"
    assert set(made.body[1].bias.tolist()) == {3.0}, "an initialisation of the class's own"  # type: ignore[index]


def test_the_outputs_of_a_cut_layer_have_the_variance_of_the_whole_layer() -> None:
    made = student(Scaled(), 0.5, initial=Scaled).body[3].weight.detach()  # type: ignore[index]
    assert made.shape == (32, 32)
    # torch draws the weights of a linear layer evenly from -1 / sqrt(fan-in) to 1 / sqrt(fan-in)
    assert float(made.abs().max()) == pytest.approx(1 / math.sqrt(32), rel=0.05)


def test_what_starts_anew_is_trained_though_the_teacher_keeps_it_frozen() -> None:
    made = student(Scaled(frozen=True), 0.5, initial=partial(Scaled, frozen=True))
    assert all(parameter.requires_grad for parameter in made.parameters())
