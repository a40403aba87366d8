"""What a search prints at its end: the front, or which trial came nearest to the constraints."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from dashboards.spool import read_run_ids
from search.commands.hints import after_search, front_command, resume_command
from search.commands.terminal import print_front, print_next, print_trials
from search.front.front import least_infeasible
from search.front.front_document import all_trials
from search.objectives.constraint import Constraint
from search.request.locations import Locations
from search.study.study import records
from spaces.errors import WorkFailed


@dataclass(frozen=True)
class Searched:
    """A search that has come to its end.

    Attributes:
        study: The study.
        document: Its front document.
        constraints: What a feasible trial satisfies.
        locations: Where the study is kept.
    """

    study: optuna.Study
    document: dict[str, Any]
    constraints: Sequence[Constraint]
    locations: Locations


def print_result(searched: Searched, *, as_json: bool) -> dict[str, Any]:
    """Print the front document and return it.

    Where every configuration was tried, the table of all trials takes the place of the front; in JSON they stand beside
    it.

    Raises:
        WorkFailed: As `require_front`.
    """
    document, locations = searched.document, searched.locations
    everything: Mapping[str, Any] = {}
    if document["everything"]:
        everything = all_trials(searched.study, read_run_ids(locations.folder.spool(document["study"])))
    if as_json:
        print(json.dumps({**document, **everything}, allow_nan=False))
    elif everything:
        print_trials(document, everything)
    require_front(searched)
    if not as_json and everything:
        print_next(document, after_search(document, locations))
    elif not as_json:
        print_front(document, resume_command(document["study"], locations), after_search(document, locations))
    return document


def require_front(searched: Searched) -> None:
    """Raise `WorkFailed` where no trial satisfies the constraints; it names the trial that misses them by least."""
    if not searched.document["front"]:
        every = front_command(searched.study.study_name, searched.locations)
        nothing = _nothing_feasible(searched.study, searched.constraints)
        raise WorkFailed(f"{nothing}. All trials are kept: `{every}`")


def _nothing_feasible(study: optuna.Study, constraints: Sequence[Constraint]) -> str:
    closest = least_infeasible(records(study), constraints)
    measurement = closest.measurement or {}
    missed = ", ".join(
        f"{constraint} (it has {measurement[constraint.quantity]:.4g})"
        for constraint in constraints
        if constraint.violation(measurement) > 0
    )
    return f"no trial satisfies every constraint; the nearest, trial {closest.number}, misses {missed}"
