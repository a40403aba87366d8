"""Importances of choices whose effects are known."""

import math

import pytest
from search_tests.simulation import make_chains, table

from search.explain import importance as module
from search.explain.importance import importance
from spaces.configuration import Configuration

SPACE = make_chains().space


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 2)


def test_the_choice_that_decides_comes_first_and_one_that_does_nothing_has_no_share() -> None:
    values = {one: 3.0 * (one["student_width"] == 0.25) for one in SPACE.configurations()}
    found = importance(values, SPACE)
    shares = dict(found.shares)
    assert shares.pop("student_width") > 0.95
    assert max(shares.values()) < 0.05
    assert sum(found.shares.values()) <= 1.0
    assert found.doubt == ""


def test_what_two_choices_decide_together_is_no_share_of_either() -> None:
    values = {
        one: float((one["student_width"] == 0.25) == (one["channel_pruning"] == 0.5)) for one in SPACE.configurations()
    }
    assert sum(importance(values, SPACE).shares.values()) < 0.5


def test_of_the_table_the_runtime_and_the_format_decide_the_speed_and_the_width_the_accuracy() -> None:
    space = [*SPACE.configurations()]
    speed = importance({one: math.log(table(one)["speedup"]) for one in space}, SPACE)
    accuracy = importance({one: table(one)["accuracy"] for one in space}, SPACE)
    assert next(iter(speed.shares)) in ("numeric_precision", "runtime", "student_width")
    assert next(iter(accuracy.shares)) == "student_width"
    assert all(low <= high for low, high in speed.ranges.values())


def test_few_candidates_are_told() -> None:
    few = [*SPACE.configurations()][:6]
    found = importance({one: float(index) for index, one in enumerate(few)}, SPACE)
    assert found.doubt.startswith("6 candidates for ")
    assert found.trials == 6


def test_nothing_is_made_up_where_nothing_differs() -> None:
    space = [*SPACE.configurations()]
    assert importance({}, SPACE).shares == {}
    assert importance({space[0]: 1.0}, SPACE).doubt.startswith("nothing differs")
    assert importance(dict.fromkeys(space, 1.0), SPACE).shares == {}


def test_a_choice_that_was_not_drawn_has_its_neutral_value() -> None:
    space = [*SPACE.configurations()]
    lacking = {Configuration({n: v for n, v in one.items() if v != 1.0}): float(one["student_width"]) for one in space}
    assert next(iter(importance(lacking, SPACE).shares)) == "student_width"
