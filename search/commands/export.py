"""``frontrunner export``: pick a trial, write it as a folder that runs by itself, and hold it to its claims."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from rich.console import Console

from dashboards.front_document import headline, instability, percent, times
from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.verification import require_claims
from runners.machine.telemetry import silence
from runners.store.location import open_store
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import resolve
from search.commands.studies import document_of, open_study
from search.commands.verify import tell_that_it_waits
from search.driver.machine_baseline import MachineBaselines
from search.front.front_document import trial_documents
from search.objectives.constraint import Constraint, is_feasible
from search.objectives.loss_table import losses
from search.objectives.objective import find_objectives
from spaces.errors import RequestError, WorkFailed

PICKS = ("knee", "fastest", "most-accurate")


def export_trial(
    name: str,
    to: Path,
    *,
    pick: str,
    within: Sequence[str],
    register: str | None,
    places: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Write the picked trial of the study called ``name`` into the new folder ``to``.

    Raises:
        RequestError: No such study or trial, an impossible bound, or ``to`` exists.
        WorkFailed: The artifact is lost, or a claim does not hold; nothing is left behind.
    """
    silence()
    bounds = [_bound(text) for text in within]
    if to.exists():
        raise RequestError(f"--to {to}: it exists already; give a new name or remove it first")
    if not os.access(next(parent for parent in to.absolute().parents if parent.exists()), os.W_OK | os.X_OK):
        raise RequestError(f"--to {to}: its folder cannot be written; name another")
    study, home = open_study(name, places.get("home"), places.get("storage"))
    document = document_of(study, home)
    chosen = pick_member(document, trial_documents(study), pick, bounds)
    store = open_store(str(places.get("stage_store") or study.user_attrs["places"]["stages"]))
    console = Console(stderr=True, markup=False, soft_wrap=True)
    console.print(f"exporting trial {chosen['trial']} of {name} and checking its claims in a fresh process")
    for doubt in doubts(chosen):
        console.print(f"! trial {chosen['trial']}: {doubt}")
    with store.in_use(f"export of {name}"):
        _write(study, document, chosen, store, to)
    if register:
        from dashboards.tracking import register_model

        tracking = places.get("tracking_uri") or study.user_attrs["places"]["tracking"]
        register_model(tracking, register, to, chosen["run_id"])
    if as_json:
        shown = {"trial": chosen["trial"], "measurement": chosen["measurement"], "doubts": doubts(chosen)}
        print(json.dumps({"folder": str(to), **shown}, allow_nan=False))
        return
    figures = chosen["measurement"]
    console.print(f"wrote {to}: {times(figures['speedup'])}x at {percent(figures['accuracy'])}; its claims hold")
    console.print(f"next:\n  python {to}/predict.py\n  frontrunner verify {to}", highlight=False)


def pick_member(
    document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], pick: str, bounds: Sequence[Constraint]
) -> Mapping[str, Any]:
    """The trial that ``pick`` names: ``knee``, ``fastest`` or ``most-accurate`` on the front, or a number.

    A member whose timing is unstable is picked only by its number, or where there is no other.

    Raises:
        RequestError: There is no such trial, or no member keeps the bounds.
    """
    if pick.isdecimal():
        return _numbered(int(pick), trials, bounds)
    if pick not in PICKS:
        raise RequestError(f"--pick {pick}: allowed are {', '.join(PICKS)} or a trial's number")
    if not document["front"]:
        raise RequestError(f"study {document['study']!r} has nothing to export: {headline(document)}")
    members = [member for member in document["front"] if _keeps(member, bounds)]
    if not members:
        raise RequestError(
            f"--within {', '.join(map(str, bounds))}: no member of the front keeps it; {headline(document)}"
        )
    members = [member for member in members if not member["unstable"]] or members
    if pick == "fastest":
        return max(members, key=lambda member: member["measurement"]["speedup"])
    if pick == "most-accurate":
        return max(members, key=lambda member: (member["measurement"]["accuracy"], member["measurement"]["speedup"]))
    return _knee(document, members)


def doubts(member: Mapping[str, Any]) -> list[str]:
    """What must be said wherever the member's figures are given, a line each."""
    unstable = instability(member)
    return [
        *([f"not to be trusted: {unstable}"] if unstable else []),
        *(["figures from the search, not measured again at its end"] if member["searched"] is None else []),
    ]


def _bound(text: str) -> Constraint:
    try:
        return Constraint.parse(text)
    except RequestError as error:
        raise RequestError(f"--within {text}: {error}") from error


def _numbered(number: int, trials: Sequence[Mapping[str, Any]], bounds: Sequence[Constraint]) -> Mapping[str, Any]:
    complete = {trial["trial"]: trial for trial in trials if trial["state"] == "complete"}
    if number not in complete:
        raise RequestError(
            f"--pick {number}: no complete trial has that number; complete are {', '.join(map(str, complete))}"
        )
    if not _keeps(complete[number], bounds):
        raise RequestError(f"--within {', '.join(map(str, bounds))}: trial {number} does not keep it")
    return complete[number]


def _keeps(member: Mapping[str, Any], bounds: Sequence[Constraint]) -> bool:
    return is_feasible(member["measurement"], bounds)


def _knee(document: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The member nearest to the corner where every objective is at its best, each scaled to its range here."""
    objectives = find_objectives([objective["name"] for objective in document["objectives"]])
    reference = document["baseline"]["measurement"]
    points = np.array([losses(objectives, member["measurement"], reference) for member in members])
    spread = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(spread > 0, spread, 1)
    return members[int(np.linalg.norm(scaled, axis=1).argmin())]


def _write(
    study: optuna.Study, document: Mapping[str, Any], chosen: Mapping[str, Any], store: StageStore, to: Path
) -> None:
    trial = study.get_trials(deepcopy=False)[chosen["trial"]]
    entry = store.get(trial.user_attrs["stages"]["lowering"])
    if entry is None:
        on_front = any(member["trial"] == chosen["trial"] for member in document["front"])
        how = f"`frontrunner resume {study.study_name}`" if on_front else "a search under another name"
        raise WorkFailed(
            f"the artifact of trial {chosen['trial']} is no longer in the stage store {store}; {how} makes it again"
        )
    settings, configuration = study.user_attrs["settings"], chosen["configuration"]
    workload = resolve(settings["workload"])
    baseline = document["baseline"]
    model = ExportedModel(
        lowered=entry.folder,
        runtime=str(configuration["runtime"]),
        precision=str(configuration["numeric_precision"]),
        build=workload.model,
        example=workload.example(),
        configuration=configuration,
        claims=chosen["measurement"],
        baseline=baseline["measurement"],
        measured={
            "device": document["device"],
            "against": "the teacher in eager fp32 at its shortest time in the study, in pairs in one process",
            "baseline_threads": baseline["configuration"]["threads"],
            "seed": settings["seed"],
            "metric": document["metric"],
            "doubts": doubts(chosen),
            "baseline_minima": MachineBaselines(study).minima,
        },
        workload=document["workload"],
        origin={"study": study.study_name, "trial": chosen["trial"], "workload": settings["workload"]},
        threads=int(configuration["threads"]),
    )
    write_exported_folder(
        to, model, check=lambda folder: require_claims(folder, tell_that_it_waits), waiting=tell_that_it_waits
    )
