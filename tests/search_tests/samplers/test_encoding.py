"""Distances between candidates."""

import numpy as np
import pytest

from search.samplers.encoding import ACROSS, Encoding, Scale, ranks


def distance(scale: Scale, one: object, other: object) -> float:
    rows = scale.rows([one, other])  # type: ignore[list-item]
    return float(((rows[0] - rows[1]) ** 2).sum())


def test_two_choices_without_an_order_are_as_far_apart_as_any_other_two() -> None:
    scale = Scale(("a", "b", "c"))
    assert distance(scale, "a", "b") == pytest.approx(1) == pytest.approx(distance(scale, "a", "c"))


def test_numbers_are_closer_the_fewer_values_lie_between_them() -> None:
    scale = Scale((1.0, 0.5, 0.25, 0.125))
    assert distance(scale, 1.0, 0.5) == pytest.approx(ACROSS / 9)
    assert distance(scale, 1.0, 0.125) == pytest.approx(ACROSS)
    assert distance(scale, 0.5, 0.75) == pytest.approx(ACROSS / 36)


def test_truth_values_are_choices_without_an_order() -> None:
    assert not Scale((False, True)).ordered


@pytest.mark.parametrize("scale", [Scale(("a", "b")), Scale((1, 2, 3))])
def test_what_was_not_drawn_is_apart_from_every_value_and_like_itself(scale: Scale) -> None:
    assert all(distance(scale, None, value) >= 1 - 1e-9 for value in scale.values)
    assert distance(scale, None, None) == 0


def test_a_choice_outside_the_values_is_halfway_to_all_of_them() -> None:
    assert distance(Scale(("a", "b")), "z", "a") == pytest.approx(0.5)


def test_one_value_alone_is_a_scale_too() -> None:
    assert np.isfinite(Scale((3,)).rows([3, None])).all()


def test_distances_add_up_over_the_parameters_and_groups_say_whose_they_are() -> None:
    encoding = Encoding({"x": Scale(("a", "b")), "y": Scale((1, 2))})
    rows = encoding.rows([{"x": "a", "y": 1}, {"x": "b", "y": 2}, {"x": "a"}])
    assert ((rows[0] - rows[1]) ** 2).sum() == pytest.approx(1 + ACROSS)
    assert ((rows[0] - rows[2])[encoding.groups == 0] == 0).all()
    assert rows.shape == (3, len(encoding.groups))


def test_ranks_forget_units_and_tails() -> None:
    assert ranks(np.array([1.0, 10.0, 1000.0]), np.array([1.0, 10.0, 1000.0, np.nan])).tolist() == [0, 0.5, 1]
    assert ranks(np.array([5.0]), np.array([2.0])).tolist() == [0]
