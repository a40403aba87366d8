"""Which changes of the network cannot be made to a workload's own network: each is tried once, before a search."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations, islice, zip_longest
from typing import Any

import torch
from torch import nn

from runners.lowering.recipe import recipe_of
from runners.stages.transforming import change_network, initial_network
from runners.workload import Workload
from spaces.configuration import Scalar
from spaces.environment import Environment, ModelLimit
from spaces.errors import RequestError, WorkFailed, in_one_line
from spaces.model_context import ModelContext
from spaces.space_document import all_techniques, make_space
from spaces.steps import Change
from spaces.technique import Technique

TRYING_S = 20.0
"""Seconds after which no further change is tried."""
MAX_TRIED = 1_000
"""Combinations of changes that are looked at."""

Changes = tuple[tuple[Technique, dict[str, Scalar]], ...]
"""Techniques in the order in which they are applied, each with its settings."""
Wanted = Mapping[Technique, Mapping[str, Any]]
"""The techniques that change the network, each with the choices of its parameters."""


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
    changing = [technique for technique in all_techniques() if technique.changes_network]
    given = {p.name: "all" for t in changing for p in t.parameters} if choices is None else choices
    wanted = {t: {p.name: given[p.name] for p in t.parameters if p.name in given} for t in changing}
    same_network = _same_network(environment, choices or {})
    began, limits = time.monotonic(), [*_excluded(workload, environment, wanted, same_network)]
    for changes in islice(_combinations(environment, wanted), MAX_TRIED):
        if time.monotonic() - began > TRYING_S:
            break
        settings = {**same_network, **_settings(changes)}
        if any(limit.covers(settings) for limit in limits):
            continue
        if reason := why_not_changed(workload, changes):
            limits.append(ModelLimit(settings, reason))
    return tuple(limits)


def _same_network(environment: Environment, choices: Mapping[str, Any]) -> dict[str, Scalar]:
    """The values of those ``choices`` by which the network is not replaced by another, which may take other changes."""
    replacing = [technique for technique in all_techniques() if technique.replaces_network]
    named = [(t, parameter) for t in replacing for parameter in t.parameters if parameter.name in choices]
    return {parameter.name: technique.neutral(parameter, environment) for technique, parameter in named}


def _settings(changes: Changes) -> dict[str, Scalar]:
    return {name: value for _, own in changes for name, value in own.items()}


def _excluded(
    workload: Workload, environment: Environment, wanted: Wanted, same_network: Mapping[str, Scalar]
) -> Iterator[ModelLimit]:
    """The values that need not be tried, as layers show: those of the network as given, and of each in its place."""
    asked = [own for t, own in wanted.items() if own and type(t).excluded is not Technique.excluded]
    axes = [axis for own in asked for axis in make_space(own, environment).axes if axis.name in own]
    values = [(axis, value) for axis in axes for value in axis.values if value != axis.neutral(environment)]
    replacing = [technique for technique, own in wanted.items() if own and technique.replaces_network]
    others = [changes for technique in replacing for changes in _changes_of((technique,), wanted, environment)]
    example = _example(workload) if values else ()
    for changes in [(), *others] if values else []:
        try:
            network = changed_network(workload, changes).eval()
        except Exception:
            continue  # it is tried as every change is, and its reason is told then
        chosen = {**same_network, **_settings(changes)}
        for axis, value in values:
            if reason := axis.technique.excluded(axis.parameter, value, network, example):
                yield ModelLimit({**chosen, axis.name: value}, reason)


def _combinations(environment: Environment, wanted: Wanted) -> Iterator[Changes]:
    """All combinations of changes, those of few techniques first; of single techniques a setting of each in turn.

    So every technique is tried, also where one has more settings than there is time for. One that changes nothing alone
    is not combined with others.
    """
    singles = {t: _changes_of((t,), wanted, environment) for t in wanted if wanted[t]}
    firsts = {technique: first for technique, alone in singles.items() if (first := next(alone, None))}
    yield from firsts.values()
    for row in zip_longest(*singles.values()):
        yield from filter(None, row)
    for count in range(2, len(firsts) + 1):
        for together in combinations(firsts, count):
            yield from _changes_of(together, wanted, environment)


def _changes_of(techniques: tuple[Technique, ...], wanted: Wanted, environment: Environment) -> Iterator[Changes]:
    """Every way of setting ``techniques`` in which each of them changes the network."""
    document = {name: values for technique in techniques for name, values in wanted[technique].items()}
    space = make_space(document, environment)
    for configuration in space.configurations():
        changes = tuple((t, own) for t in techniques if (own := space.settings_of(t, configuration)))
        if len(changes) == len(techniques):
            yield changes


def why_not_changed(workload: Workload, changes: Changes) -> str | None:
    """Why ``changes`` cannot be made to a new network, or None."""
    try:
        changed_network(workload, changes)
    except (WorkFailed, RequestError) as error:
        return in_one_line(error, limit=200)
    except Exception as error:
        return f"it fails on this network ({in_one_line(error, limit=200)})"
    return None


def changed_network(workload: Workload, changes: Changes) -> nn.Module:
    """A new network of ``workload``, not trained, with ``changes``; raises what they raise."""
    network, example = _as_trained(workload.network().eval()), _example(workload)
    steps = [(technique, step) for technique, settings in changes for step in technique.steps(settings)]
    for technique, step in steps:
        if isinstance(step, Change):
            initial = partial(initial_network, workload, recipe_of(network))
            dynamic = workload.example_inputs.dynamic
            context = ModelContext(example, 0, initial, trained=workload.pretrained, dynamic=dynamic)
            network = change_network(network, technique, step.settings, context)
    return network


def _example(workload: Workload) -> tuple[torch.Tensor, ...]:
    return tuple(map(torch.from_numpy, workload.example_inputs.arrays))


def _as_trained(network: nn.Module) -> nn.Module:
    """``network`` with other weights than the workload gives it, as any that was trained: one may start with them."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.01)
    return network
