"""What a search prints at its end: the front, or which trial came nearest to the constraints."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import optuna
from rich.console import Console

from dashboards.tracking.spool import read_run_ids
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


def print_json(searched: Searched) -> None:
    """Print the front document on stdout; where every configuration was tried, all trials stand beside it."""
    document, home = searched.document, searched.locations.folder
    run_ids = read_run_ids(home.spool(document["study"]))
    everything = all_trials(searched.study, run_ids) if document["everything"] else {}
    print(json.dumps({**document, **everything}, allow_nan=False))


def print_result(searched: Searched, stream: TextIO) -> None:
    """Print the front and how to go on, or where every configuration was tried the table of all trials, on ``stream``.

    Without a front nothing but that table is printed: `require_front` says why.
    """
    document, locations, console = searched.document, searched.locations, Console(file=stream)
    if document["everything"]:
        print_trials(console, document, all_trials(searched.study))
        if document["front"]:
            print_next(console, document, after_search(document, locations))
    elif document["front"]:
        resume = resume_command(document["study"], locations)
        print_front(document, resume, after_search(document, locations), stream=stream)
    stream.flush()  # what follows takes seconds


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
