"""``frontrunner front``: the Pareto front of a study, or all its trials, once or as long as the study runs."""

import json
import time
from dataclasses import dataclass

import optuna
from rich.console import Console

from dashboards.figures.front_points import front_points
from dashboards.figures.measured_trials import measured_trials
from dashboards.front_plot import front_plot
from dashboards.front_rows import front_csv
from dashboards.tracking.spool import read_run_ids
from search.commands.hints import resume_command
from search.commands.studies import open_study
from search.commands.terminal import print_front, print_trials
from search.front.front_document import all_trials, front_document
from search.request.locations import Locations
from spaces.errors import RequestError

WATCH_EVERY_S = 2.0
"""How long a study that is watched is left alone before it is looked at again."""


@dataclass(frozen=True)
class FrontOptions:
    """What ``frontrunner front`` prints.

    Attributes:
        everything: All trials instead of the front, also in JSON.
        costs: A table of what each member costs, below the front.
        as_csv: Comma-separated values, which have the costs anyway.
        as_json: One JSON document, which has them too.
        watch: The same again whenever a trial has ended, as long as the study runs.
    """

    everything: bool = False
    costs: bool = False
    as_csv: bool = False
    as_json: bool = False
    watch: bool = False


def show_front(name: str, locations: Locations, options: FrontOptions) -> None:
    """Print the front of the study called ``name`` on stdout, as a table, CSV or JSON.

    Args:
        name: Name of the study.
        locations: Where it is kept.
        options: What is shown, and how.

    Raises:
        RequestError: There is no such study, or options exclude each other.
    """
    _check(options)
    study, found = open_study(name, locations)
    if options.watch:
        _watch(study, found, options)
    else:
        _show(study, found, options)


def _check(options: FrontOptions) -> None:
    if options.as_csv and options.as_json:
        raise RequestError("--csv and --json: give one of them")
    if options.costs and (options.everything or options.as_csv or options.as_json):
        raise RequestError(
            "--costs adds a table to that of the front; --all, --csv and --json have its figures: leave it out"
        )
    if options.watch and (options.as_csv or options.as_json):
        raise RequestError("--watch shows tables that follow a study; leave out --csv and --json, or --watch")


def _watch(study: optuna.Study, found: Locations, options: FrontOptions) -> None:
    """Show the front now, and again whenever it may have changed, until the study is no longer running.

    A terminal has the latest one alone; a file has all, one below the other.
    """
    console, shown = Console(), None
    while True:
        document = front_document(study)
        now = document["status"], document["trials"], document["hypervolume"]
        if now != shown:
            console.clear()
            _show(study, found, options)
            shown = now
        if document["status"] != "running":
            return
        time.sleep(WATCH_EVERY_S)


def _show(study: optuna.Study, found: Locations, options: FrontOptions) -> None:
    name = study.study_name
    run_ids = read_run_ids(found.folder.spool(name))
    document = front_document(study, run_ids)
    if options.as_json:
        extra = all_trials(study, run_ids) if options.everything else {}
        print(json.dumps({**document, **extra}, allow_nan=False))
    elif options.as_csv:
        print(front_csv(document), end="")
    elif options.everything:
        print_trials(Console(), document, all_trials(study, run_ids))
    else:
        print_front(document, resume_command(name, found), costs=options.costs)
        console = Console()
        plot = front_plot(front_points(document, measured_trials({**document, **all_trials(study)})), console.width)
        console.print(f"\n{plot}", markup=False, highlight=False)
