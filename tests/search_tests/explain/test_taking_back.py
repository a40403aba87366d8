"""A configuration without some of its choices: what stays, and what has to leave with them."""

import pytest
from search_tests.simulation import MACHINE, make_chains

from search.explain.taking_back import made_choices, take_back
from search.explain.variants import Variants
from spaces.configuration import Configuration
from spaces.search_space import SearchSpace
from spaces.space_document import make_space

CHOICES = {
    "student_width": [1.0, 0.5],
    "channel_pruning": [0.0, 0.5],
    "distillation_weight": [0.0, 0.7],
    "distillation_temperature": [2.0, 4.0],
    "numeric_precision": "all",
    "runtime": "all",
    "threads": [1, 2],
}
SPACE = make_space(CHOICES, MACHINE)


def configuration(**choices: object) -> Configuration:
    """The teacher with ``choices`` of its own, all that are drawn with them among them."""
    return Configuration({**SPACE.baseline(), **choices})  # type: ignore[dict-item]


def distilled(**choices: object) -> Configuration:
    """A narrow student that is distilled."""
    return configuration(student_width=0.5, distillation_weight=0.7, distillation_temperature=4.0, **choices)


def test_the_choices_are_those_that_differ_from_the_teacher() -> None:
    assert made_choices(SPACE, SPACE.baseline()) == ()
    assert made_choices(SPACE, distilled(threads=2)) == (
        "student_width",
        "distillation_weight",
        "distillation_temperature",
        "threads",
    )


def test_the_others_stay_as_they_are() -> None:
    found = take_back(SPACE, distilled(threads=2), ("threads",))
    assert distilled().items() <= found.configuration.items()
    assert found.implied == ()


def test_what_only_matters_with_a_choice_leaves_with_it() -> None:
    found = take_back(SPACE, distilled(), ("distillation_weight",))
    assert "distillation_temperature" not in found.configuration
    assert found.implied == ("distillation_temperature",)
    found = take_back(SPACE, distilled(), ("student_width",))
    assert found.configuration == SPACE.baseline(), "an unchanged network is not trained, so it is not distilled"


def test_an_earlier_choice_leaves_where_nothing_left_can_run_it() -> None:
    fast = configuration(numeric_precision="int8", runtime="openvino")
    without = take_back(SPACE, fast, ("runtime",))
    assert (without.configuration["runtime"], without.configuration["numeric_precision"]) == ("eager", "fp32")
    assert without.implied == ("numeric_precision",)
    kept = take_back(SPACE, configuration(numeric_precision="bf16", runtime="openvino"), ("runtime",))
    assert kept.configuration["numeric_precision"] == "bf16", "eager computes in bf16, too"


@pytest.mark.parametrize("space", [SPACE, make_chains().space])
def test_without_all_its_choices_a_configuration_is_the_baseline(space: SearchSpace) -> None:
    for one in space.configurations():
        made = made_choices(space, one)
        if made:
            assert take_back(space, one, made).configuration == space.baseline()


def test_whatever_is_left_can_run() -> None:
    for one in SPACE.configurations():
        for name in made_choices(SPACE, one):
            left = take_back(SPACE, one, (name,)).configuration
            chosen: dict[str, object] = {}
            for axis in SPACE.axes:
                if axis.name in left:
                    assert axis.reason(left[axis.name], SPACE.earlier(chosen), MACHINE) is None  # type: ignore[arg-type]
                    chosen[axis.name] = left[axis.name]


def test_variants_of_one_artifact_are_timed_once_and_training_alone_changes_no_speed() -> None:
    chains = make_chains(CHOICES)
    variants = Variants.of(chains, distilled(runtime="openvino"))
    without = {name: one.configuration for name, one in variants.singles.items()}
    assert variants.same_speed(variants.member, without["distillation_weight"])
    assert not variants.same_speed(variants.member, without["runtime"])
    assert not variants.is_independent(("student_width", "distillation_weight"))
    arms, arm_of = variants.arms({"member": variants.member, **without})
    assert arm_of["distillation_weight"] == arm_of["distillation_temperature"] == "member"
    assert set(arms) == {"member", "student_width", "runtime"}


def test_the_teacher_untouched_is_the_baseline_that_is_timed_anyway() -> None:
    variants = Variants.of(make_chains(CHOICES), configuration(runtime="openvino"))
    arms, arm_of = variants.arms({"member": variants.member, "runtime": variants.singles["runtime"].configuration})
    assert arm_of["runtime"] == "baseline"
    assert set(arms) == {"member"}
