"""A configuration is a frozen value: equal by content, with one canonical text."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from spaces.configuration import Configuration, Scalar
from spaces.errors import RequestError

CHOICES: dict[str, Scalar] = {"student_width": 0.5, "numeric_precision": "int8", "replicas": 2, "flag": True}


def test_the_canonical_form_is_one_line_with_sorted_keys() -> None:
    assert Configuration({"b": "x", "a": 0.5}).canonical() == '{"a":0.5,"b":"x"}'


def test_the_order_in_which_choices_came_does_not_matter() -> None:
    backwards = dict(reversed(CHOICES.items()))
    assert Configuration(CHOICES) == Configuration(backwards)
    assert hash(Configuration(CHOICES)) == hash(Configuration(backwards))


def test_it_comes_back_from_json_as_it_was() -> None:
    there = Configuration(CHOICES)
    back = Configuration.from_json(there.canonical())
    assert back == there
    assert dict(back) == CHOICES
    assert back.canonical() == there.canonical()


def test_one_and_one_point_zero_are_one_number() -> None:
    assert Configuration({"width": 1}) == Configuration({"width": 1.0})
    assert len({Configuration({"width": 1}), Configuration({"width": 1.0})}) == 1
    assert repr(Configuration({"width": 1.0})["width"]) == "1"  # as one that was read from its canonical form has it
    assert Configuration({"width": 0.0}).canonical() == Configuration({"width": -0.0}).canonical()


def test_a_truth_value_is_not_a_number() -> None:
    assert Configuration({"flag": True}) != Configuration({"flag": 1})


def test_numbers_that_differ_in_the_last_place_stay_apart() -> None:
    assert Configuration({"width": 0.1 + 0.2}) != Configuration({"width": 0.3})


@pytest.mark.parametrize("other", [{"width": 0.5}, {"width": 0.25, "extra": 1}, {}, {"width": "0.25"}])
def test_other_choices_make_another_configuration(other: dict[str, float]) -> None:
    assert Configuration({"width": 0.25}) != Configuration(other)


def test_a_dictionary_is_not_a_configuration() -> None:
    assert Configuration({"width": 0.25}) != {"width": 0.25}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, [1], {"a": 1}, b"x", 1j])
def test_what_is_no_choice_is_refused_by_name(value: object) -> None:
    with pytest.raises(RequestError, match=r"choice width is .*finite number"):
        Configuration({"width": value})  # type: ignore[dict-item]


def test_a_name_that_is_no_string_is_refused() -> None:
    with pytest.raises(RequestError, match="choice 1 "):
        Configuration({1: "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["", "[1]", "7", "null", '{"width": NaN}', '{"width": [1]}', '{"width"'])
def test_text_that_holds_no_choices_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        Configuration.from_json(text)


def test_it_cannot_be_changed() -> None:
    source = dict(CHOICES)
    configuration = Configuration(source)
    with pytest.raises(FrozenInstanceError):
        configuration.choices = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        configuration.choices["replicas"] = 4  # type: ignore[index]
    source["replicas"] = 4
    assert configuration["replicas"] == 2


def test_it_reads_as_a_mapping() -> None:
    configuration = Configuration(CHOICES)
    assert len(configuration) == 4
    assert "replicas" in configuration
    assert configuration.get("absent", 7) == 7
    assert json.loads(configuration.canonical()) == {**configuration}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_it_can_be_copied_and_sent_to_another_process(duplicate: Callable[[Configuration], Configuration]) -> None:
    assert duplicate(Configuration(CHOICES)) == Configuration(CHOICES)
