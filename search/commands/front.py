"""``frontrunner front``: the Pareto front of a study, or all its trials."""

import json

from rich.console import Console

from dashboards.front_rows import front_csv
from dashboards.tracking.spool import read_run_ids
from search.commands.hints import resume_command
from search.commands.studies import open_study
from search.commands.terminal import print_front, print_trials
from search.front.front_document import all_trials, front_document
from search.request.locations import Locations
from spaces.errors import RequestError


def show_front(name: str, locations: Locations, *, everything: bool, as_csv: bool, as_json: bool) -> None:
    """Print the front of the study called ``name`` on stdout, as a table, CSV or JSON.

    Args:
        name: Name of the study.
        locations: Where it is kept.
        everything: Show all trials instead of the front, also in JSON.
        as_csv: Print comma-separated values.
        as_json: Print one JSON document.

    Raises:
        RequestError: There is no such study, or both CSV and JSON are asked for.
    """
    if as_csv and as_json:
        raise RequestError("--csv and --json: give one of them")
    study, found = open_study(name, locations)
    run_ids = read_run_ids(found.folder.spool(name))
    document = front_document(study, run_ids)
    if as_json:
        extra = all_trials(study, run_ids) if everything else {}
        print(json.dumps({**document, **extra}, allow_nan=False))
    elif as_csv:
        print(front_csv(document), end="")
    elif everything:
        print_trials(Console(), document, all_trials(study, run_ids))
    else:
        print_front(document, resume_command(name, found))
