"""What a sampler may choose among."""

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from search_tests.simulation import CHOICES, MACHINE

from search.samplers.candidate_space import DistributionCandidates, SpaceCandidates, as_candidates, key_of, neighbours
from spaces.configuration import Configuration
from spaces.space_document import make_space

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "layers": IntDistribution(1, 3),
    "rate": FloatDistribution(0.0, 1.0, step=0.5),
    "kind": CategoricalDistribution(["a", "b"]),
}
SPACE = make_space(CHOICES, MACHINE)
RANDOM = np.random.default_rng(0)


def test_every_combination_of_the_distributions_is_listed_once() -> None:
    listed = DistributionCandidates(DISTRIBUTIONS).every(18)
    assert len(listed) == len({key_of(one) for one in listed}) == 18
    assert {one["rate"] for one in listed} == {0.0, 0.5, 1.0}


def test_a_space_larger_than_the_limit_is_not_listed() -> None:
    assert DistributionCandidates(DISTRIBUTIONS).every(17) == []
    assert SpaceCandidates(SPACE).every(3) == []


def test_a_float_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no step"):
        DistributionCandidates({"x": FloatDistribution(0, 1)})


def test_every_configuration_of_a_space_is_listed_and_drawn_as_a_trial_would() -> None:
    candidates = SpaceCandidates(SPACE)
    for candidate in candidates.every(10_000):
        names = set(candidates.distributions(candidate))
        assert names == set(candidates.parameters(candidate))
        assert SPACE.contains(candidate)
    assert {key_of(one) for one in candidates.every(10_000)} == {key_of(one) for one in SPACE.configurations()}


def test_a_drawn_candidate_has_what_is_wanted_where_that_can_run() -> None:
    wanted = {"runtime": "openvino", "numeric_precision": "int8"}
    for _ in range(20):
        drawn = SpaceCandidates(SPACE).draw(wanted, RANDOM)
        assert SPACE.contains(drawn)
        assert {name: drawn[name] for name in wanted} == wanted
    assert DistributionCandidates(DISTRIBUTIONS).draw({"kind": "b", "layers": 2}, RANDOM)["layers"] == 2


def test_neighbours_of_a_configuration_can_run() -> None:
    near = list(neighbours(SpaceCandidates(SPACE), SPACE.baseline(), RANDOM))
    assert all(SPACE.contains(one) for one in near)
    assert len({key_of(one) for one in near}) >= 4


def test_a_long_range_has_neighbours_and_levels_without_being_listed() -> None:
    candidates = DistributionCandidates({"n": IntDistribution(1, 10**9, log=True)})
    assert len(candidates.scales["n"].values) <= 1_000
    assert len(list(neighbours(candidates, {"n": 5}, RANDOM))) == 12


def test_a_trial_says_which_candidate_it_runs() -> None:
    study = optuna.create_study()
    trial = study.ask(DISTRIBUTIONS)
    assert DistributionCandidates(DISTRIBUTIONS).features(study.trials[0]) == trial.params
    trial.set_user_attr("configuration", SPACE.baseline().canonical())
    assert SpaceCandidates(SPACE).features(study.trials[0]) == SPACE.baseline()


def test_an_enqueued_trial_says_it_too_and_one_without_parameters_says_nothing() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"layers": 1, "rate": 0.5, "kind": "a"})
    assert DistributionCandidates(DISTRIBUTIONS).features(study.trials[0]) == {"layers": 1, "rate": 0.5, "kind": "a"}
    study.ask()
    study.ask()
    assert DistributionCandidates(DISTRIBUTIONS).features(study.trials[1]) is None
    assert SpaceCandidates(SPACE).features(study.trials[1]) is None


def test_one_number_is_one_candidate_however_it_is_written() -> None:
    assert key_of(Configuration({"width": 1})) == key_of({"width": 1.0})


def test_whatever_describes_a_space_is_turned_into_candidates() -> None:
    assert isinstance(as_candidates(SPACE), SpaceCandidates)
    assert isinstance(as_candidates(DISTRIBUTIONS), DistributionCandidates)
    candidates = SpaceCandidates(SPACE)
    assert as_candidates(candidates) is candidates
