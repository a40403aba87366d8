"""Choices that a later parameter refuses, whatever is chosen in between, are left at once."""

from collections.abc import Mapping
from typing import Any

import pytest
from spaces_tests.environments import BARE

from spaces import dead_ends
from spaces.configuration import Scalar
from spaces.environment import Environment, ModelLimit
from spaces.errors import RequestError
from spaces.model_context import ModelContext
from spaces.search_space import Axis, SearchSpace
from spaces.technique import Earlier, Parameter, Stage, Technique

IN_BETWEEN = 20
"""Parameters of four values: a million million combinations."""


class Plain(Technique):
    """A parameter of four values that changes the network and refuses nothing."""

    stage = Stage.STUDENT
    asked = 0

    def __init__(self, name: str, neutral: Scalar = 0) -> None:
        self.name = name  # type: ignore[misc]
        self.parameters = (Parameter(name, (0, 1, 2, 3), neutral, "0 to 3"),)  # type: ignore[misc]

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        Plain.asked += 1
        return None

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        return subject


class Refusing(Plain):
    """Refuses all of its values after some values of ``first``."""

    def __init__(self, name: str, *refused: Scalar) -> None:
        super().__init__(name)
        self.refused = refused

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        super().unsupported(parameter, value, earlier, environment)
        return "it does not go with that" if earlier.choices.get("first") in self.refused else None


class Untrained(Plain):
    """Refuses all of its values where the network was changed."""

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        super().unsupported(parameter, value, earlier, environment)
        return "it needs the network as it is" if earlier.model_changed else None


class Drawn(Plain):
    """Is drawn where ``first`` is 1, and refuses all of its values then."""

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        return earlier.choices.get("first") == 1

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        super().unsupported(parameter, value, earlier, environment)
        return "it never runs"


def _space(last: Technique, environment: Environment = BARE) -> SearchSpace:
    Plain.asked = 0
    between = [Plain(f"between_{number}") for number in range(IN_BETWEEN)]
    techniques = [Plain("first"), *between, last]
    return SearchSpace(tuple(Axis(t, t.parameters[0], t.parameters[0].choices) for t in techniques), environment)


@pytest.mark.parametrize("last", [Refusing("last", 1, 2), Drawn("last")], ids=["refuses", "is drawn and refuses"])
def test_a_choice_that_the_last_one_refuses_is_left_at_once(last: Technique) -> None:
    space = _space(last)
    assert 1 not in space.options(0, {})
    assert 0 in space.options(0, {})
    assert Plain.asked < 10_000


def test_a_space_without_any_configuration_is_refused_at_once() -> None:
    with pytest.raises(RequestError, match=r"nothing in this space can run here .*it does not go with that"):
        _space(Refusing("last", 0, 1, 2, 3))
    assert Plain.asked < 10_000


def _neutral_last(between: int) -> SearchSpace:
    """Every parameter but the last one offers 0 to 2, which change the network, before 3, which does not."""
    Plain.asked = 0
    techniques = [*(Plain(f"changes_{number}", neutral=3) for number in range(between)), Untrained("last")]
    return SearchSpace(tuple(Axis(t, t.parameters[0], t.parameters[0].choices) for t in techniques), BARE)


def test_what_many_choices_decide_together_is_blamed_on_all_of_them() -> None:
    space = _neutral_last(3)
    assert space.options(0, {}) == (3,)
    assert space.options(2, {"changes_0": 3, "changes_1": 3}) == (3,)


def test_a_space_that_takes_too_long_is_refused_with_the_choice_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_ends, "MOST_TRIED", 2_000)
    said = r"^no configuration of this space was found in 2,000 steps: \w+ and others refuse most combinations"
    with pytest.raises(RequestError, match=said):
        _neutral_last(IN_BETWEEN)
    assert Plain.asked < 20_000


def test_a_limit_of_the_network_blames_the_choices_that_it_names() -> None:
    limits = tuple(ModelLimit({"first": 1, "last": value}, "the two do not go together") for value in (1, 2, 3))
    limited = _space(Refusing("last"), Environment(model_limits=limits))
    assert limited.options(0, {}) == (0, 1, 2, 3)  # with 0, the neutral value, last runs
    chosen = {"first": 1, **{f"between_{number}": 3 for number in range(IN_BETWEEN)}}
    assert limited.options(IN_BETWEEN + 1, chosen) == (0,)
