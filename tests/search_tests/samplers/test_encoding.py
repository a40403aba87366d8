"""Distances between candidates."""

import numpy as np
import pytest

from search.samplers.encoding import NUMERIC_SPAN, Encoding, ParameterEncoding, normalised_ranks


def distance(parameter: ParameterEncoding, one: object, other: object) -> float:
    rows = parameter.encode([one, other])  # type: ignore[list-item]
    return float(((rows[0] - rows[1]) ** 2).sum())


def test_any_two_categories_are_equally_far_apart() -> None:
    parameter = ParameterEncoding(("a", "b", "c"))
    assert distance(parameter, "a", "b") == pytest.approx(1) == pytest.approx(distance(parameter, "a", "c"))


def test_numbers_are_closer_the_fewer_values_lie_between_them() -> None:
    parameter = ParameterEncoding((1.0, 0.5, 0.25, 0.125))
    assert distance(parameter, 1.0, 0.5) == pytest.approx(NUMERIC_SPAN / 9)
    assert distance(parameter, 1.0, 0.125) == pytest.approx(NUMERIC_SPAN)
    assert distance(parameter, 0.5, 0.75) == pytest.approx(NUMERIC_SPAN / 36)


def test_truth_values_are_categories() -> None:
    assert not ParameterEncoding((False, True)).is_numeric


@pytest.mark.parametrize("parameter", [ParameterEncoding(("a", "b")), ParameterEncoding((1, 2, 3))])
def test_an_absent_parameter_is_far_from_every_value_and_equal_to_itself(parameter: ParameterEncoding) -> None:
    assert all(distance(parameter, None, value) >= 1 - 1e-9 for value in parameter.values)
    assert distance(parameter, None, None) == 0


def test_an_unknown_category_is_halfway_to_all_of_them() -> None:
    assert distance(ParameterEncoding(("a", "b")), "z", "a") == pytest.approx(0.5)


def test_a_parameter_may_have_one_value() -> None:
    assert np.isfinite(ParameterEncoding((3,)).encode([3, None])).all()


def test_distances_add_up_over_the_parameters_and_groups_say_whose_they_are() -> None:
    encoding = Encoding({"x": ("a", "b"), "y": (1, 2)})
    rows = encoding.encode([{"x": "a", "y": 1}, {"x": "b", "y": 2}, {"x": "a"}])
    assert ((rows[0] - rows[1]) ** 2).sum() == pytest.approx(1 + NUMERIC_SPAN)
    assert ((rows[0] - rows[2])[encoding.groups == 0] == 0).all()
    assert rows.shape == (3, len(encoding.groups))


def test_ranks_do_not_depend_on_units_or_tails() -> None:
    values = np.array([1.0, 10.0, 1000.0])
    assert normalised_ranks(values, np.append(values, np.nan)).tolist() == [0, 0.5, 1]
    assert normalised_ranks(np.array([5.0]), np.array([2.0])).tolist() == [0]
