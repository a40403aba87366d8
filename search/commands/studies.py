"""``frontrunner studies``: the studies of a home, one line each."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
from rich.console import Console
from rich.markup import escape

from dashboards.formatting import quality_text, times
from dashboards.headline import best_member
from dashboards.tracking.spool import read_run_ids
from runners.metric import QualityMetric
from search.commands.terminal import number_column, plain_table
from search.front.front_document import front_document
from search.request.locations import Home, Locations
from search.request.remembered_locations import recall
from search.study.attributes import PLACES, SETTINGS
from search.study.storage import open_storage
from search.study.study import find_study


def list_studies(locations: Locations, *, as_json: bool) -> None:
    """Print one line for each study: name, status, date, trials, size of the front, and the result that matters.

    That is the trial which the headline names. The JSON has the workload, the hypervolume and the time too.

    Raises:
        RequestError: There is no such home or storage.
    """
    storage = _open_storage(locations)
    names = sorted(optuna.get_all_study_names(storage))
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    ours = [study for study in studies if SETTINGS in study.user_attrs]
    summaries = [_summary(document_of(study, locations_of(study, locations).folder)) for study in ours]
    if as_json:
        print(json.dumps({"home": str(locations.folder.path), "studies": summaries}))
        return
    table = plain_table("study", "status", "date", *map(number_column, ("trials", "failed", "front")), "result")
    for summary in summaries:
        shown = {**summary, "date": _date(summary)}
        columns = ("study", "status", "date", "trials", "failed", "front", "result")
        table.add_row(*(escape(str(shown[column])) for column in columns))
    Console().print(table)


def open_study(name: str, locations: Locations) -> tuple[optuna.Study, Locations]:
    """The study called ``name`` and its locations: those given, else those that it remembers.

    Raises:
        RequestError: There is no such home, storage or study.
    """
    study = find_study(_open_storage(locations), name)
    return study, locations_of(study, locations)


def locations_of(study: optuna.Study, given: Locations) -> Locations:
    """The locations of ``study``: those given, else those that it remembers, else the environment's."""
    return recall(study.user_attrs.get(PLACES, {}), given)


def document_of(study: optuna.Study, home: Home) -> dict[str, Any]:
    """The front document of ``study``, with the MLflow run of each trial that MLflow has."""
    return front_document(study, read_run_ids(home.spool(study.study_name)))


def _open_storage(given: Locations) -> optuna.storages.BaseStorage:
    locations = given.with_environment()
    if locations.storage is None:
        locations.folder.require_storage()
    return open_storage(locations.studies)


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("study", "workload", "status", "trials", "failed", "begun", "ended", "hypervolume")
    shown = {name: document[name] for name in kept}
    return {**shown, "front": len(document["front"]), "result": _result(document)}


def _date(summary: Mapping[str, Any]) -> str:
    """The day of the last result; of a study that is not finished, when it began."""
    if summary["status"] == "finished" and summary["ended"]:
        return str(summary["ended"])[:10]
    return f"began {summary['begun'][:10]}" if summary["begun"] else ""


def _result(document: Mapping[str, Any]) -> str:
    """``12.3x at 98.1 %``: the trial that the headline names; empty where it names none."""
    best = best_member(document)
    if best is None:
        return ""
    measurement = best["measurement"]
    accuracy = quality_text(measurement["accuracy"], QualityMetric.of_front(document))
    return f"{times(measurement['speedup'])}x at {accuracy}"
