"""How a search ends for the person who waits: its front, or why there is none, and what to type next."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from search.commands.terminal import print_front
from search.front.front import least_infeasible
from search.objectives.constraint import Constraint
from search.study.study import records
from spaces.errors import WorkFailed


def conclude(
    study: optuna.Study, document: dict[str, Any], constraints: Sequence[Constraint], *, as_json: bool
) -> dict[str, Any]:
    """Print the front document and give it back.

    Raises:
        WorkFailed: Nothing satisfies the constraints; the message says what came nearest.
    """
    if as_json:
        print(json.dumps(document, allow_nan=False))
    if not document["front"]:
        raise WorkFailed(_nothing_feasible(study, constraints))
    if not as_json:
        print_front(document, next_commands(document))
    return document


def next_commands(document: Mapping[str, Any]) -> list[str]:
    """What a person would type after a search."""
    name = document["study"]
    return [
        "frontrunner ui",
        f'frontrunner export {name} --to exported --pick fastest --within "accuracy_drop<=0.01"',
        f"frontrunner front {name} --all",
    ]


def _nothing_feasible(study: optuna.Study, constraints: Sequence[Constraint]) -> str:
    closest = least_infeasible(records(study), constraints)
    figures = closest.measurement or {}
    missed = ", ".join(
        f"{constraint} (it has {figures[constraint.quantity]:.4g})"
        for constraint in constraints
        if constraint.violation(figures) > 0
    )
    return (
        f"no trial satisfies every constraint; the nearest, trial {closest.number}, misses {missed}. "
        f"All trials are kept: `frontrunner front {study.study_name} --all`"
    )
