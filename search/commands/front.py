"""``frontrunner front``: the Pareto front of a study, or all its trials."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from dashboards.formatting import configuration_text, interval_text, quality_text, times
from dashboards.front_rows import front_csv
from dashboards.spool import read_run_ids
from runners.metric import QualityMetric
from search.commands.hints import resume_command
from search.commands.studies import open_study
from search.commands.terminal import number_column, plain_table, print_front
from search.front.front_document import front_document, trial_documents
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
        extra = {"all": trial_documents(study, run_ids)} if everything else {}
        print(json.dumps({**document, **extra}, allow_nan=False))
    elif as_csv:
        print(front_csv(document), end="")
    elif everything:
        Console().print(_all_trials(trial_documents(study, run_ids), document))
    else:
        print_front(document, resume_command(name, found))


def _all_trials(trials: list[dict[str, Any]], document: Mapping[str, Any]) -> Table:
    baseline, metric = (document["baseline"] or {}).get("configuration", {}), QualityMetric.of_front(document)
    front = {member["trial"] for member in document["front"]}
    table = plain_table(
        *map(number_column, ("trial", "state", "speedup", "95 %", metric.name)),
        Column("configuration, or why it failed or was stopped", overflow="fold"),
    )
    for trial in trials:
        measurement = trial["measurement"]
        table.add_row(
            f"{'! ' if trial['unstable'] else ''}{trial['trial']}{' *' if trial['trial'] in front else '  '}",
            trial["state"],
            f"{times(measurement['speedup'])}x" if measurement else "",
            interval_text(*measurement["speedup_ci95"]) if measurement else "",
            quality_text(measurement.get("accuracy"), metric),
            trial["failure"] or configuration_text(trial["configuration"], baseline),
        )
    table.caption = (
        "* on the front, with the values of the final measurement; all other values are from the search; "
        "! unstable, --json says why"
    )
    table.caption_justify = "left"
    return table
