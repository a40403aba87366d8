"""What has been searched: the studies of a home, and the front of one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console
from rich.table import Table

from dashboards.front_document import configuration_text, front_csv, interval_text, percent, times
from dashboards.spool import read_run_ids
from search.commands.terminal import print_front
from search.front.front_document import front_document, trial_documents
from search.request.locations import Home
from search.study.study import find_study, open_storage
from spaces.errors import RequestError


def open_study(name: str, home: Path | str | None, storage: str | None) -> tuple[optuna.Study, Home]:
    """The study called ``name`` and its home.

    Raises:
        RequestError: There is no such home, storage or study.
    """
    found = Home.find(home)
    if storage is None:
        found.require_storage()
    return find_study(open_storage(storage or found.storage), name), found


def document_of(study: optuna.Study, home: Home) -> dict[str, Any]:
    """The front document of ``study``, with the MLflow run of each trial where it is known."""
    return front_document(study, read_run_ids(home.spool(study.study_name)))


def list_studies(home: Path | None, storage: str | None, *, as_json: bool) -> None:
    """Print one line for each study: name, workload, status, trials, size of the front and hypervolume."""
    found = Home.find(home)
    if storage is None:
        found.require_storage()
    opened = open_storage(storage or found.storage)
    names = sorted(optuna.get_all_study_names(opened))
    ours = [s for s in (find_study(opened, name) for name in names) if "settings" in s.user_attrs]
    documents = [_summary(document_of(study, found)) for study in ours]
    if as_json:
        print(json.dumps({"home": str(found.path), "studies": documents}))
        return
    table = Table(box=None, header_style="bold")
    for column in ("study", "workload", "status", "trials", "failed", "front", "hypervolume"):
        table.add_column(column, justify="left" if column in ("study", "workload", "status") else "right")
    for document in documents:
        table.add_row(*[f"{v:.3f}" if isinstance(v, float) else str(v) for v in document.values()])
    Console().print(table)


def show_front(
    name: str, home: Path | None, storage: str | None, *, everything: bool, as_csv: bool, as_json: bool
) -> None:
    """Print the front of the study called ``name`` on stdout, as a table, CSV or JSON.

    Raises:
        RequestError: There is no such study, or both CSV and JSON are asked for.
    """
    if as_csv and as_json:
        raise RequestError("--csv and --json: give one of them")
    study, found = open_study(name, home, storage)
    runs = read_run_ids(found.spool(name))
    document = front_document(study, runs)
    if as_json:
        every = {"all": trial_documents(study, runs)} if everything else {}
        print(json.dumps({**document, **every}, allow_nan=False))
    elif as_csv:
        print(front_csv(document), end="")
    elif everything:
        Console().print(_all_trials(trial_documents(study, runs), document))
    else:
        print_front(document)


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: document[name] for name in ("study", "workload", "status", "trials", "failed")}
    return {**shown, "front": len(document["front"]), "hypervolume": document["hypervolume"]}


def _all_trials(trials: list[dict[str, Any]], document: Mapping[str, Any]) -> Table:
    plain = (document["baseline"] or {}).get("configuration", {})
    front = {member["trial"] for member in document["front"]}
    table = Table(box=None, header_style="bold")
    for column in ("trial", "state", "speedup", "95 %", "accuracy"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("configuration, or why it failed or was stopped", overflow="fold")
    for trial in trials:
        figures = trial["measurement"]
        table.add_row(
            f"{'! ' if trial['unstable'] else ''}{trial['trial']}{' *' if trial['trial'] in front else '  '}",
            trial["state"],
            f"{times(figures['speedup'])}x" if figures else "",
            interval_text(*figures["speedup_ci95"]) if figures else "",
            percent(figures.get("accuracy")),
            trial["failure"] or configuration_text(trial["configuration"], plain),
        )
    table.caption = (
        "* on the front: figures of the last measurement, those of all others are from the search; "
        "! not to be trusted, --json says why"
    )
    table.caption_justify = "left"
    return table
