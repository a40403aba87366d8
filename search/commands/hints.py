"""Commands that could come next, as they can be pasted into a shell: with the options that find the study again."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboards.front_rows import instability, members
from dashboards.headline import fastest_within, is_faster
from runners.metric import NEAR, QualityMetric
from search.request.locations import DEFAULT, Locations, from_environment
from spaces.credentials import without_credentials

SPEEDS = ("speedup", "latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "throughput_per_s")
"""Objectives that a trial is better in where it is faster."""
BASELINE_TRIAL = "0"


def resume_command(study: str, locations: Locations) -> str:
    """The command that continues ``study``; it remembers its tracking and its stage store by itself."""
    address = [] if locations.address is None else ["--address", locations.address]
    address += [] if locations.measure_on is None else ["--measure-on", locations.measure_on]
    address += [] if locations.train_with is None else ["--train-with", locations.train_with]
    return shlex.join(["frontrunner", "resume", study, *_found_by(locations), *address])


def front_command(study: str, locations: Locations) -> str:
    """The command that shows all trials of ``study``."""
    return shlex.join(["frontrunner", "front", study, "--all", *_found_by(locations)])


def export_command(study: str, locations: Locations, *picked: str) -> str:
    """The command that exports the trial of ``study`` that the options ``picked`` name."""
    return shlex.join(["frontrunner", "export", study, "--to", "exported", *picked, *_found_by(locations)])


def explain_command(study: str, locations: Locations, trial: int | None = None) -> str:
    """The command that explains ``trial`` of ``study``, or the one that is picked by default."""
    number = [] if trial is None else [str(trial)]
    return shlex.join(["frontrunner", "explain", study, *number, *_found_by(locations)])


def report_command(study: str, locations: Locations) -> str:
    """The command that writes the report of ``study`` to a file and into MLflow."""
    return shlex.join(["frontrunner", "report", study, "--to", "report.html", "--log", *_found_by(locations)])


def after_search(document: Mapping[str, Any], locations: Locations) -> list[str]:
    """What could come after a search whose front document is ``document``, a line each."""
    study = document["study"]
    export = export_command(study, locations, *_worth_exporting(document))
    return [_see_runs(locations), export, front_command(study, locations)]


def after_export(folder: Path, locations: Locations) -> list[str]:
    """What could come after ``folder`` was exported, a line each."""
    verify = ["frontrunner", "verify", str(folder), *_found_by(Locations(locations.home))]
    return [shlex.join(["python", str(folder / "predict.py")]), shlex.join(verify)]


def _found_by(locations: Locations) -> list[str]:
    """The options by which a command finds the study, those with default values left out; no password is shown."""
    home, storage = locations.folder.path, locations.storage
    given = [] if locations.home is None and home == Path(DEFAULT).absolute() else ["--home", str(home)]
    if storage is None or (storage == from_environment("storage") and without_credentials(storage) != storage):
        return given
    return [*given, "--storage", without_credentials(storage)]


def _see_runs(locations: Locations) -> str:
    """How the runs are seen that MLflow has."""
    uri = without_credentials(locations.tracking)
    if locations.tracking == locations.folder.tracking:
        return shlex.join(["frontrunner", "ui", *_found_by(Locations(locations.home))])
    if uri.startswith(("http://", "https://")):
        return f"open {shlex.quote(uri)}"
    return shlex.join(["mlflow", "server", "--backend-store-uri", uri])


def _worth_exporting(document: Mapping[str, Any]) -> list[str]:
    """Options that pick the fastest trial nearly as accurate as the baseline, else the most accurate that is faster.

    Where no trial is faster they pick the baseline, which is then the best there is, or the knee of the front where
    speed was no objective.
    """
    best, metric = fastest_within(document), QualityMetric.of_front(document)
    if best is not None and is_faster(best, document):
        if instability(best):  # the stable baseline would be picked in its place
            return ["--pick", str(best["trial"])]
        quantity = "accuracy_drop" if metric.is_fraction else "accuracy_drop_share"
        return ["--pick", "fastest", "--within", f"{quantity}<={NEAR:g}"]
    faster = [member for member in members(document) if is_faster(member, document)]
    if not faster:
        about_speed = any(objective["name"] in SPEEDS for objective in document["objectives"])
        return ["--pick", "knee" if members(document) and not about_speed else BASELINE_TRIAL]
    return ["--pick", str(max(faster, key=lambda member: metric.sign * member["measurement"]["accuracy"])["trial"])]
