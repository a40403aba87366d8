"""The samplers that ``--sampler`` names, each made never to propose a configuration twice."""

from collections.abc import Callable, Hashable, Mapping, Sequence

import optuna
from optuna.samplers import BaseSampler

from search.objectives.trial_targets import TrialTargets
from search.samplers.candidate_space import Candidate
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.ehvi_sampler import EHVISampler
from search.samplers.starting_points import starting_points
from search.samplers.target_layout import TargetLayout
from search.samplers.target_models import MIN_OBSERVATIONS
from search.samplers.training_cost import TrainingCost
from search.study.study import records
from spaces.configuration import Configuration
from spaces.search_space import SearchSpace
from spaces.technique import Stage

_N_STARTUP_TRIALS = 12
"""Trials before a sampler of Optuna's own has a model."""


def _ehvi_sampler(space: SearchSpace, targets: TrialTargets, seed: int) -> BaseSampler:
    layout = TargetLayout(len(targets.objectives), len(targets.constraints), targets.of_trial, are_losses=True)
    cost_model = TrainingCost(lambda candidate: training_key(space, candidate))
    few = MIN_OBSERVATIONS  # the starting points are the initial design
    return EHVISampler(space, layout, n_startup_trials=few, seed=seed, cost_model=cost_model)


def training_key(space: SearchSpace, candidate: Candidate) -> Hashable:
    """A key that is equal for candidates that share a trained network; None where a candidate needs no training."""
    settings = {technique: space.settings_of(technique, candidate) for technique in space.techniques}
    if not any(settings[technique] for technique in space.techniques if technique.changes_network):
        return None
    trained = [t for t in space.techniques if t.stage is Stage.TRAIN or t.changes_network]
    return tuple(item for technique in trained for item in settings[technique].items())


SAMPLERS: Mapping[str, Callable[[SearchSpace, TrialTargets, int], BaseSampler]] = {
    "gain": _ehvi_sampler,
    "tpe": lambda space, targets, seed: optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=_N_STARTUP_TRIALS, constant_liar=True
    ),
    "nsga2": lambda space, targets, seed: optuna.samplers.NSGAIISampler(seed=seed),
    "gp": lambda space, targets, seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=_N_STARTUP_TRIALS),
    "random": lambda space, targets, seed: optuna.samplers.RandomSampler(seed=seed),
}


def make_sampler(
    name: str,
    study: optuna.Study,
    space: SearchSpace,
    targets: TrialTargets,
    seed: int,
    first: Sequence[Configuration] = (),
) -> DistinctSampler:
    """The sampler called ``name`` for a new study or for one that goes on.

    It is seeded from the study's seed and the number of trials so far: a study that goes on must not repeat its draws.

    Args:
        name: One of `SAMPLERS`.
        study: Its trials are never proposed again.
        space: The configurations that may be proposed.
        targets: Gives the targets of trials.
        seed: The study's seed.
        first: Configurations to begin with, after the baseline and before the other `starting_points`.
    """
    trials = records(study)
    sampler_seed = (seed * 1_000_003 + len(trials)) % 2**32
    tried = {trial.configuration.canonical() for trial in trials if trial.configuration is not None}
    baseline, *others = starting_points(space)
    inner = SAMPLERS[name](space, targets, sampler_seed)
    return DistinctSampler(inner, space, tried, first=[baseline, *first], then=others, seed=sampler_seed)
