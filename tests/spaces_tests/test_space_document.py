"""Search spaces as they are written: every preset loads, and every mistake is named."""

import json

import pytest
from spaces_tests.environments import ENVIRONMENTS, LAPTOP
from spaces_tests.machines import MACHINES

from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.space_document import all_techniques, make_space, preset_choices, preset_names, preset_text


def offered(document: dict[str, object], environment: Environment) -> dict[str, tuple[object, ...]]:
    return {axis.name: axis.values for axis in make_space(document, environment).axes}


PLACES = {**ENVIRONMENTS, **MACHINES}
NAME_NO_RUNTIME = ("cpu", "post-training", "quick", "full")
LOADED = [(place, name) for place in PLACES for name in preset_names() if place in MACHINES or name in NAME_NO_RUNTIME]
"""Presets that name runtimes are for machines on which all runtimes are known, as on every real one."""


@pytest.mark.parametrize(("place", "name"), LOADED)
def test_every_preset_loads_and_each_of_its_values_is_accepted(place: str, name: str) -> None:
    for axis in make_space(preset_choices(name), PLACES[place]).axes:
        assert all(axis.technique.accepts(axis.parameter, value) for value in axis.values)


@pytest.mark.parametrize("name", NAME_NO_RUNTIME)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_preset_searches_is_among_all_values(place: str, name: str) -> None:
    for axis in make_space(preset_choices(name), PLACES[place]).axes:
        offer = axis.technique.every if name == "full" else axis.technique.choices
        listed = offer(axis.parameter, PLACES[place])
        assert [value for value in axis.values if value not in listed] == []


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_begins_with_a_comment_that_explains_it(name: str) -> None:
    assert preset_text(name).startswith("# ")


def test_the_cpu_preset_is_there_and_names_every_technique() -> None:
    document = preset_choices("cpu")
    parameters = [parameter for technique in all_techniques() for parameter in technique.parameters]
    assert set(document) == {parameter.name for parameter in parameters if not parameter.only_where_named}


def test_a_name_that_is_not_known_is_told_with_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"^student_stem cannot be 'smal' \(did you mean 'small'\?\); allowed is"):
        make_space({"student_stem": ["smal"]}, LAPTOP)


def test_what_is_searched_only_where_it_is_named_is_no_part_of_other_configurations() -> None:
    changed = {"student_width": [0.5]}
    (plain,) = make_space(changed, LAPTOP).configurations()
    named = make_space({**changed, "training_epochs": "all", "learning_rate": [0.1]}, LAPTOP)
    assert not {"training_epochs", "learning_rate"} & set(plain)
    assert [found["training_epochs"] for found in named.configurations()] == [4, 8, 16]
    assert {found["learning_rate"] for found in named.configurations()} == {0.1}
    assert "training_epochs" not in named.baseline()


def test_a_preset_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(RequestError, match=r"unknown space 'gpuu'.*cpu.*YAML"):
        preset_text("gpuu")


def test_a_name_with_a_path_in_it_reaches_no_other_file() -> None:
    with pytest.raises(RequestError, match="unknown space"):
        preset_text("../presets/cpu")


def test_techniques_come_in_the_order_of_their_stages() -> None:
    stages = [technique.stage for technique in all_techniques()]
    assert stages == sorted(stages)


def test_an_unknown_parameter_is_named_with_those_that_are_known() -> None:
    with pytest.raises(RequestError, match=r"unknown choice 'student_widht'.*student_width"):
        make_space({"student_widht": [0.5]}, LAPTOP)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("student_width", 0),
        ("student_width", 1.5),
        ("student_width", True),
        ("student_width", "half"),
        ("student_width", float("nan")),
        ("student_width", None),
        ("channel_pruning", 1.0),
        ("channel_pruning", -0.1),
        ("channel_pruning", True),
        ("distillation_weight", 1.1),
        ("distillation_temperature", 0.5),
        ("training_workers", 0),
        ("training_workers", 1.5),
        ("training_workers", True),
        ("numeric_precision", "int4"),
        ("numeric_precision", None),
        ("runtime", 7),
        ("replicas", -1),
        ("threads", "two"),
        ("threads", {"two": 2}),
        ("threads", [1]),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(name: str, value: object) -> None:
    allowed = next(p.allowed for t in all_techniques() for p in t.parameters if p.name == name)
    with pytest.raises(RequestError) as refusal:
        make_space({name: [value]}, LAPTOP)
    near = " (did you mean 'int8'?)" if value == "int4" else ""
    assert str(refusal.value) == f"{name} cannot be {value!r}{near}; allowed is {allowed}"


def test_all_offers_what_the_technique_offers() -> None:
    values = offered({"runtime": "all", "threads": "all", "student_width": "all"}, LAPTOP)
    assert values["runtime"] == tuple(LAPTOP.backends)
    assert values["threads"] == (1, 2)
    assert values["student_width"] == (1.0, 0.75, 0.5, 0.25, 0.125)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(RequestError, match="student_width has no values; list some"):
        make_space({"student_width": []}, LAPTOP)


def test_a_parameter_left_out_stays_as_the_teacher_has_it() -> None:
    values = offered({}, LAPTOP)
    assert values["student_width"] == (1.0,)
    assert values["runtime"] == ("eager",)
    assert values["threads"] == (1,)
    assert [dict(c) for c in make_space({}, LAPTOP).configurations()] == [dict(make_space({}, LAPTOP).baseline())]


def test_a_single_value_may_be_written_without_a_list() -> None:
    assert offered({"student_width": 0.5}, LAPTOP)["student_width"] == (0.5,)


def test_a_value_written_twice_is_offered_once() -> None:
    assert offered({"student_width": [0.5, 1, 1.0, 0.5]}, LAPTOP)["student_width"] == (0.5, 1)


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_an_environment_comes_back_from_json_as_it_was(place: str) -> None:
    text = json.dumps(ENVIRONMENTS[place].to_json())
    assert Environment.from_json(json.loads(text)) == ENVIRONMENTS[place]


def test_an_environment_of_an_older_study_offers_its_runtimes_by_default() -> None:
    document = LAPTOP.to_json()
    for facts in document["backends"].values():
        del facts["by_default"]
    assert Environment.from_json(document) == LAPTOP
