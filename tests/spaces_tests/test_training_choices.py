"""Choices of how a candidate is trained are drawn where they matter, and refused with a reason elsewhere."""

from typing import Any

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.search_space import SearchSpace
from spaces.space_document import make_space
from spaces.technique import Earlier

MACHINE = Environment()


def drawn(space: SearchSpace, name: str, **chosen: Scalar) -> tuple[Scalar, ...]:
    """The options of one choice after others."""
    index = next(number for number, axis in enumerate(space.axes) if axis.name == name)
    earlier = {axis.name for axis in space.axes[:index]}
    return space.options(index, {key: value for key, value in chosen.items() if key in earlier})


def space(**offered: Any) -> SearchSpace:
    widths = {"student_width": [1.0, 0.5], "channel_pruning": [0.0, 0.5], "distillation_weight": [0.0, 0.7]}
    return make_space({**widths, **offered}, MACHINE)


def test_an_assistant_is_wider_than_its_student_and_drawn_only_where_something_is_distilled() -> None:
    found = space(distillation_assistant=[0, 0.75, 0.5, 0.25])
    half = {"student_width": 0.5, "channel_pruning": 0.0, "distillation_weight": 0.7}
    assert drawn(found, "distillation_assistant", **half) == (0, 0.75)
    pruned = {**half, "channel_pruning": 0.5}
    assert drawn(found, "distillation_assistant", **pruned) == (0, 0.75, 0.5)
    assert drawn(found, "distillation_assistant", **{**half, "distillation_weight": 0.0}) == ()


def test_why_an_assistant_is_refused_names_both_widths() -> None:
    axis = next(axis for axis in space(distillation_assistant="all").axes if axis.name == "distillation_assistant")
    reason = axis.reason(0.5, Earlier({"student_width": 0.5}, True), MACHINE)
    assert reason == "the assistant of width 0.5 is not wider than the student, whose width is 0.5"
    assert not axis.technique.accepts(axis.parameter, 1.0)
    assert not axis.technique.accepts(axis.parameter, 1.5)


def test_the_width_of_a_student_of_another_family_is_none_of_the_teacher() -> None:
    found = space(student=["teacher", "mobilenet_v3_small"], distillation_assistant=[0, 0.5])
    chosen = {"student_width": 1.0, "channel_pruning": 0.0, "distillation_weight": 0.7}
    assert drawn(found, "distillation_assistant", student="mobilenet_v3_small", **chosen) == (0, 0.5)


def test_layers_are_weighted_only_where_they_are_compared() -> None:
    found = space(distillation_method="all", distillation_layer_weight="all")
    half = {"student_width": 0.5, "channel_pruning": 0.0, "distillation_weight": 0.0}
    assert drawn(found, "distillation_method", **half)
    assert drawn(found, "distillation_layer_weight", **half, distillation_method="features")
    assert not drawn(found, "distillation_layer_weight", **half, distillation_method="soft-targets")


def test_a_student_is_trained_before_pruning_only_where_it_is_pruned() -> None:
    found = space(train_before_pruning="all")
    for width, pruned, options in ((0.5, 0.5, (False, True)), (1.0, 0.5, ()), (0.5, 0.0, ())):
        assert drawn(found, "train_before_pruning", student_width=width, channel_pruning=pruned) == options


def test_blocks_are_frozen_only_in_networks_that_keep_their_weights() -> None:
    found = space(trainable="all", layer_decay="all", transfer="all")
    kept = {"student_width": 1.0, "channel_pruning": 0.5, "transfer": False}
    assert drawn(found, "trainable", **kept) == (1.0, 0.5, 0.0)
    assert drawn(found, "trainable", **{**kept, "student_width": 0.5}) == ()
    assert drawn(found, "layer_decay", student_width=1.0, channel_pruning=0.0, transfer=True)


def test_a_student_is_no_transfer() -> None:
    found = space(transfer="all")
    assert drawn(found, "transfer", student_width=1.0) == (False, True)
    assert drawn(found, "transfer", student_width=0.5) == (False,)
    assert not [value for name, value, _ in found.reasons() if name == "transfer"]
