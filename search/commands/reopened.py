"""What a study that exists says of itself: its settings as a request, and the stages of its configurations."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna

from runners.chains.chain import Chains
from runners.chains.post_training import PostTrainingChains
from runners.measuring.paired_timing import CALLS_FOR_P99
from runners.runner import WorkloadFacts
from search.driver.baseline import is_tuned
from search.driver.final_measurement import SERVED
from search.driver.successive_halving import levels_of
from search.request.study_request import StudyRequest
from search.request.training_speed import times_training
from search.study.attributes import SETTINGS
from spaces.search_space import SearchSpace
from spaces.space_document import make_space


def given_settings(study: optuna.Study) -> dict[str, Any]:
    """The settings with which ``study`` was made, as a study file would give them."""
    settings = study.user_attrs[SETTINGS]
    made = {key: settings[key] for key in ("workload", "space", "objectives", "constraints", "seed")}
    return made | ({"serve": settings["serve"]} if settings.get("serve") else {})


def chains_of(request: StudyRequest, space: SearchSpace, facts: WorkloadFacts) -> Chains:
    """The stages of the configurations of ``space``, as a search for ``request`` carries them out.

    Raises:
        RequestError: The speed of trainings is asked for where it cannot be measured.
    """
    least_calls = CALLS_FOR_P99 if "latency_p99_ms" in request.quantities else 0
    timed = times_training(request, space.environment)
    given = space, facts, request.workload, request.seed, levels_of, least_calls, timed
    if not request.everything:
        return Chains(*given)
    return PostTrainingChains(*given, serves=not SERVED.isdisjoint(request.quantities))


def beside_baseline(chains: Chains, study: optuna.Study, threads: int, choices: Mapping[str, Any]) -> Chains:
    """``chains`` beside the baseline of ``study``, which is called on so many ``threads``.

    A choice that is left out stays as the baseline has it, so the space is made of ``choices`` anew.
    """
    machine = replace(chains.space.environment, baseline_threads=threads, baseline_tuned=is_tuned(study))
    return replace(chains, space=make_space(choices, machine))
