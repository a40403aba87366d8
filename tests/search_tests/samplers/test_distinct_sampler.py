"""A sampler that proposes nothing twice: with a driver that asks for proposals, and alone in Optuna."""

from collections.abc import Iterator

import optuna
import pytest
from search_tests.simulation import CHOICES, make_chains

from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.factory import make_sampler, training_key
from search.samplers.starting_points import starting_points
from spaces.configuration import Configuration
from spaces.search_space import SearchSpace

SMALL = {"student_width": [1.0, 0.5], "numeric_precision": "all", "runtime": "all"}
SIZE = 14


class Stubborn(optuna.samplers.RandomSampler):
    """Samples the first choice of every parameter."""

    def sample_independent(self, study, trial, param_name, param_distribution):  # type: ignore[no-untyped-def]
        return param_distribution.choices[0]


def study_with(sampler: DistinctSampler) -> optuna.Study:
    return optuna.create_study(sampler=sampler)


def frozen(study: optuna.Study, trial: optuna.Trial) -> optuna.trial.FrozenTrial:
    return study.get_trials(deepcopy=False)[trial.number]


@pytest.mark.parametrize("inner", [optuna.samplers.RandomSampler(0), optuna.samplers.TPESampler(seed=0), Stubborn()])
def test_alone_in_optuna_it_repeats_nothing_until_all_is_tried(inner: optuna.samplers.BaseSampler) -> None:
    space = make_chains(SMALL).space
    sampler = DistinctSampler(inner, space, set())
    drawn: list[Configuration] = []

    def objective(trial: optuna.Trial) -> float:
        drawn.append(space.draw(trial))
        return float(drawn[-1]["student_width"])

    study_with(sampler).optimize(objective, n_trials=SIZE)
    assert set(drawn) == set(space.configurations())
    assert len(drawn) == SIZE
    assert sampler.exhausted()


def test_a_trial_draws_what_was_proposed_for_it() -> None:
    space = make_chains(SMALL).space
    study = study_with(DistinctSampler(optuna.samplers.RandomSampler(0), space, set()))
    assert isinstance(study.sampler, DistinctSampler)
    first, second = study.ask(), study.ask()
    proposed = [study.sampler.propose(study, frozen(study, trial)) for trial in (first, second)]
    assert proposed[0] != proposed[1]
    assert [space.draw(trial) for trial in (first, second)] == proposed
    assert study.sampler.propose(study, frozen(study, first)) == proposed[0], "asked again"


def test_what_it_shall_begin_with_comes_first_and_once() -> None:
    space = make_chains().space
    wanted = starting_points(space)
    tried = {wanted[1].canonical()}
    study = study_with(DistinctSampler(Stubborn(), space, tried, [*wanted, wanted[0]]))
    assert isinstance(study.sampler, DistinctSampler)
    proposed = [study.sampler.propose(study, frozen(study, study.ask())) for _ in wanted]
    assert proposed[: len(wanted) - 1] == [wanted[0], *wanted[2:]]
    assert proposed[-1] not in wanted
    assert {configuration.canonical() for configuration in proposed} < tried


def test_a_baseline_outside_the_space_is_proposed_and_a_trial_may_draw_another() -> None:
    space = make_chains({**CHOICES, "runtime": ["openvino"]}).space
    study = study_with(DistinctSampler(optuna.samplers.RandomSampler(0), space, set(), [space.baseline()]))
    assert isinstance(study.sampler, DistinctSampler)
    trial = study.ask()
    assert study.sampler.propose(study, frozen(study, trial)) == space.baseline()
    assert space.draw(trial)["runtime"] == "openvino"


def test_what_is_left_out_is_never_proposed() -> None:
    space = make_chains(SMALL).space
    left_out, *others = space.configurations()
    study = study_with(DistinctSampler(Stubborn(), space, set()))
    assert isinstance(study.sampler, DistinctSampler)
    study.sampler.exclude(left_out)
    assert not study.sampler.exhausted()
    assert {study.sampler.propose(study, frozen(study, study.ask())) for _ in others} == set(others)
    assert study.sampler.exhausted()


def test_without_a_model_of_speeds_nothing_is_worth_screening() -> None:
    space: SearchSpace = make_chains(SMALL).space
    study = study_with(DistinctSampler(optuna.samplers.RandomSampler(0), space, set()))
    assert isinstance(study.sampler, DistinctSampler)
    assert study.sampler.propose_screening(study) is None


def test_of_a_large_space_no_more_is_listed_than_was_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    space, listed = make_chains().space, []
    everything = SearchSpace.configurations

    def watched(self: SearchSpace) -> Iterator[Configuration]:
        for configuration in everything(self):
            listed.append(configuration)
            yield configuration

    monkeypatch.setattr(SearchSpace, "configurations", watched)
    sampler = DistinctSampler(optuna.samplers.RandomSampler(0), space, set())
    study = study_with(sampler)
    for _ in range(5):
        sampler.propose(study, frozen(study, study.ask()))
        assert not sampler.exhausted()
    assert len(listed) <= 6


def test_what_needs_a_training_is_left_to_the_model_where_the_driver_says_so() -> None:
    space = make_chains().space
    study = optuna.create_study(directions=["minimize", "minimize"])
    targets = TrialTargets(find_objectives(("accuracy", "speedup")), ())
    first = next(point for point in starting_points(space) if point["student_width"] != 1.0)
    study.sampler = sampler = make_sampler("gain", study, space, targets, 0, [first])
    sampler.leave_out_trainings()
    given = [point for point in starting_points(space) if training_key(space, point) is None]
    proposed = [sampler.propose(study, frozen(study, study.ask())) for _ in range(len(given) + 1)]
    assert proposed == [given[0], first, *given[1:]]
