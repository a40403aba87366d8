"""The spaces that a sampler may choose from."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from search_tests.simulation import CHOICES, MACHINE

from search.samplers.candidate_space import (
    ConfigurationSpace,
    DistributionSpace,
    candidate_key,
    make_candidate_space,
    neighbours,
)
from spaces.configuration import Configuration
from spaces.space_document import make_space

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "layers": IntDistribution(1, 3),
    "rate": FloatDistribution(0.0, 1.0, step=0.5),
    "kind": CategoricalDistribution(["a", "b"]),
}
SPACE = make_space(CHOICES, MACHINE)
RNG = np.random.default_rng(0)


def test_every_combination_of_the_distributions_is_enumerated_once() -> None:
    listed = DistributionSpace(DISTRIBUTIONS).enumerate(18)
    assert len(listed) == len({candidate_key(one) for one in listed}) == 18
    assert {one["rate"] for one in listed} == {0.0, 0.5, 1.0}


def test_a_space_larger_than_the_limit_is_not_enumerated() -> None:
    assert DistributionSpace(DISTRIBUTIONS).enumerate(17) == []
    assert ConfigurationSpace(SPACE).enumerate(3) == []


def test_a_float_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no step"):
        DistributionSpace({"x": FloatDistribution(0, 1)})


def test_every_configuration_of_a_space_is_enumerated_and_drawn_as_a_trial_would() -> None:
    candidates = ConfigurationSpace(SPACE)
    for candidate in candidates.enumerate(10_000):
        names = set(candidates.distributions(candidate))
        assert names == set(candidates.parameters(candidate))
        assert SPACE.contains(candidate)
    enumerated = {candidate_key(one) for one in candidates.enumerate(10_000)}
    assert enumerated == {candidate_key(one) for one in SPACE.configurations()}


def test_a_drawn_candidate_has_what_is_wanted_where_that_can_run() -> None:
    wanted = {"runtime": "openvino", "numeric_precision": "int8"}
    for _ in range(20):
        drawn = ConfigurationSpace(SPACE).sample(wanted, RNG)
        assert SPACE.contains(drawn)
        assert {name: drawn[name] for name in wanted} == wanted
    assert DistributionSpace(DISTRIBUTIONS).sample({"kind": "b", "layers": 2}, RNG)["layers"] == 2


def test_neighbours_of_a_configuration_can_run() -> None:
    near = list(neighbours(ConfigurationSpace(SPACE), SPACE.baseline(), RNG))
    assert all(SPACE.contains(one) for one in near)
    assert len({candidate_key(one) for one in near}) >= 4


def test_a_long_range_has_neighbours_and_levels_without_being_enumerated() -> None:
    candidates = DistributionSpace({"n": IntDistribution(1, 10**9, log=True)})
    assert len(candidates.parameter_values["n"]) <= 1_000
    assert len(list(neighbours(candidates, {"n": 5}, RNG))) == 12


def test_a_trial_says_which_candidate_it_runs() -> None:
    study = optuna.create_study()
    trial = study.ask(DISTRIBUTIONS)
    assert DistributionSpace(DISTRIBUTIONS).candidate_of(study.trials[0]) == trial.params
    trial.set_user_attr("configuration", SPACE.baseline().canonical())
    assert ConfigurationSpace(SPACE).candidate_of(study.trials[0]) == SPACE.baseline()


def test_an_enqueued_trial_says_it_too_and_one_without_parameters_says_nothing() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"layers": 1, "rate": 0.5, "kind": "a"})
    assert DistributionSpace(DISTRIBUTIONS).candidate_of(study.trials[0]) == {"layers": 1, "rate": 0.5, "kind": "a"}
    study.ask()
    study.ask()
    assert DistributionSpace(DISTRIBUTIONS).candidate_of(study.trials[1]) is None
    assert ConfigurationSpace(SPACE).candidate_of(study.trials[1]) is None


def test_equal_numbers_are_one_candidate_however_they_are_written() -> None:
    assert candidate_key(Configuration({"width": 1})) == candidate_key({"width": 1.0})


def test_both_kinds_of_space_have_candidates() -> None:
    assert isinstance(make_candidate_space(SPACE), ConfigurationSpace)
    assert isinstance(make_candidate_space(DISTRIBUTIONS), DistributionSpace)


@pytest.mark.parametrize(("low", "high", "step"), [(0.0, 0.3, 0.1), (0.1, 0.7, 0.2), (-0.3, 0.0, 0.1)])
def test_every_value_of_a_float_with_a_step_can_be_suggested_and_is_found_again(
    low: float, high: float, step: float
) -> None:
    distribution = FloatDistribution(low, high, step=step)
    (values,) = DistributionSpace({"x": distribution}).parameter_values.values()
    assert values[-1] == high
    for value in values:
        study = optuna.create_study()
        study.enqueue_trial({"x": value})
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Optuna draws a value of its own where it refuses the given one
            assert study.ask({"x": distribution}).params == {"x": value}
        assert DistributionSpace({"x": distribution}).candidate_of(study.trials[0]) == {"x": value}
