"""Which changes of the network cannot be made to a workload's own network: each is tried once, before a search."""

import time
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any

import torch

from runners.lowering.recipe import recipe_of
from runners.stages.transforming import change_network, initial_network
from runners.workload import Workload
from spaces.configuration import Scalar
from spaces.environment import Environment, ModelLimit
from spaces.errors import WorkFailed, in_one_line
from spaces.space_document import all_techniques, make_space
from spaces.technique import Change, ModelContext, Technique

TRYING_S = 20.0
"""Seconds after which no further change is tried."""
MAX_TRIED = 1_000
"""Combinations of changes that are looked at."""

Changes = tuple[tuple[Technique, dict[str, Scalar]], ...]
"""Techniques in the order in which they are applied, each with its settings."""


def find_model_limits(
    workload: Workload, environment: Environment, choices: Mapping[str, Any] | None = None
) -> tuple[ModelLimit, ...]:
    """The changes among ``choices`` that fail on the network of ``workload``, or change nothing.

    Single changes are tried first, and a combination of which a part failed is not tried. What was not tried for lack
    of time is offered: a trial finds what is wrong with it.

    Args:
        workload: Its network need not be trained: which layers can change does not depend on the weights.
        environment: The machine.
        choices: ``{parameter: [values]}`` as `make_space` takes it; None tries all values that are offered by default.

    Raises:
        RequestError: No combination of the choices can run here.
    """
    began, limits = time.monotonic(), list[ModelLimit]()
    for changes in _combinations(environment, choices):
        if time.monotonic() - began > TRYING_S:
            break
        settings = {name: value for _, own in changes for name, value in own.items()}
        if any(limit.covers(settings) for limit in limits):
            continue
        if reason := _failure(workload, changes):
            limits.append(ModelLimit(settings, reason))
    return tuple(limits)


def _combinations(environment: Environment, choices: Mapping[str, Any] | None) -> list[Changes]:
    """All combinations of changes, those of few techniques first."""
    techniques = [technique for technique in all_techniques() if technique.changes_network]
    parameters = [parameter.name for technique in techniques for parameter in technique.parameters]
    wanted = dict.fromkeys(parameters, "all") if choices is None else choices
    space = make_space({name: wanted[name] for name in parameters if name in wanted}, environment)
    found = [
        tuple((technique, own) for technique in techniques if (own := space.settings_of(technique, configuration)))
        for configuration in islice(space.configurations(), MAX_TRIED)
    ]
    return sorted((changes for changes in found if changes), key=len)


def _failure(workload: Workload, changes: Changes) -> str | None:
    """Why ``changes`` cannot be made to a new network, or None."""
    network, example = workload.network().eval(), tuple(map(torch.from_numpy, workload.example_inputs.arrays))
    steps = [(technique, step) for technique, settings in changes for step in technique.steps(settings)]
    try:
        for technique, step in steps:
            if isinstance(step, Change):
                context = ModelContext(example, 0, partial(initial_network, workload, recipe_of(network)))
                network = change_network(network, technique, step.settings, context)
    except WorkFailed as error:
        return in_one_line(error, limit=200)
    except Exception as error:
        return f"it fails on this network ({in_one_line(error, limit=200)})"
    return None
