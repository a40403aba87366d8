"""What a search prints at its end: the front, or which trial came nearest to the constraints."""

import json
from collections.abc import Sequence
from typing import Any

import optuna

from search.commands.hints import after_search, front_command, resume_command
from search.commands.terminal import print_front
from search.front.front import least_infeasible
from search.objectives.constraint import Constraint
from search.request.locations import Locations
from search.study.study import records
from spaces.errors import WorkFailed


def print_result(
    study: optuna.Study,
    document: dict[str, Any],
    constraints: Sequence[Constraint],
    locations: Locations,
    *,
    as_json: bool,
) -> dict[str, Any]:
    """Print the front document and return it.

    Raises:
        WorkFailed: No trial satisfies the constraints; the message names the trial that misses them by least.
    """
    if as_json:
        print(json.dumps(document, allow_nan=False))
    if not document["front"]:
        every = front_command(study.study_name, locations)
        raise WorkFailed(f"{_nothing_feasible(study, constraints)}. All trials are kept: `{every}`")
    if not as_json:
        print_front(document, resume_command(study.study_name, locations), after_search(document, locations))
    return document


def _nothing_feasible(study: optuna.Study, constraints: Sequence[Constraint]) -> str:
    closest = least_infeasible(records(study), constraints)
    measurement = closest.measurement or {}
    missed = ", ".join(
        f"{constraint} (it has {measurement[constraint.quantity]:.4g})"
        for constraint in constraints
        if constraint.violation(measurement) > 0
    )
    return f"no trial satisfies every constraint; the nearest, trial {closest.number}, misses {missed}"
