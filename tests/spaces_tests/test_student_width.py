"""A student has the teacher's layers with fewer channels, and none of its weights."""

import torch
from torch import nn

from runners.workloads.synthetic import make_network
from spaces.space_document import all_techniques
from spaces.technique import ModelContext

STUDENT_WIDTH = next(technique for technique in all_techniques() if technique.name == "student_width")


def student(teacher: nn.Module, width: float, seed: int = 0) -> nn.Module:
    context = ModelContext(torch.zeros(1, 1, 8, 8), seed)
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
