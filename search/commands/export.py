"""``frontrunner export``: pick a trial, write it as a folder that runs by itself, and check its claims."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna

from dashboards.baseline_text import baseline_text
from dashboards.formatting import quality_text, times
from dashboards.front_rows import fastest_first, instability
from dashboards.headline import headline
from dashboards.progress import plain_console
from dashboards.registry.registered import Registered
from dashboards.tracking.spool import read_run_ids
from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.packed_model import PACKED
from runners.artifacts.sample import sample_of
from runners.artifacts.verification import require_claims
from runners.chains.chain import COMPARING_PROCESSES
from runners.machine.telemetry import disable_telemetry
from runners.measuring.opening import Artifact
from runners.metric import QualityMetric
from runners.store.location import open_store
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import resolve
from runners.workload_loading.user_module import quiet
from search.commands.hints import after_export, resume_command
from search.commands.known_exports import remember
from search.commands.options import parse_option
from search.commands.studies import open_study
from search.commands.terminal import report_waiting
from search.commands.tracking.recording import run_location
from search.front.front_document import front_document, trial_documents
from search.front.knee import knee
from search.objectives.constraint import Constraint, is_feasible
from search.objectives.objective import find_objectives
from search.request.locations import Locations
from search.request.remembered_locations import require_credentials
from search.stop_signals import stop_signals
from search.study.attributes import PLACES, SETTINGS, STAGES
from spaces.errors import RequestError, WorkFailed
from spaces.given_path import given_path
from spaces.setting_error import SettingError

PICKS = ("knee", "fastest", "most-accurate")
Trial = Mapping[str, Any]


@dataclass(frozen=True)
class ExportOptions:
    """What ``frontrunner export`` writes, and where to.

    Attributes:
        study: Name of the study.
        to: The folder to create.
        pick: ``knee``, ``fastest``, ``most-accurate`` or a trial's number.
        within: Bounds that the trial must satisfy, as text.
        register: Name under which MLflow registers the model; None registers nothing.
    """

    study: str
    to: Path
    pick: str = "knee"
    within: Sequence[str] = ()
    register: str | None = None


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        trial: The trial.
        metric: What its accuracy is.
        undecided: The claims that could not be checked, a sentence each.
        locations: Where the study is kept.
        registered: The version in MLflow's registry, where that was asked for.
    """

    trial: Trial
    metric: QualityMetric
    undecided: Sequence[str]
    locations: Locations
    registered: Registered | None = None


def export_trial(options: ExportOptions, locations: Locations, *, as_json: bool) -> None:
    """Write the picked trial as `write_trial` does, and print what was written.

    Raises:
        RequestError: No such study or trial, no trial satisfies the bounds, or the folder exists.
        WorkFailed: The artifact is lost, or a claim does not hold; nothing is left behind.
    """
    done = write_trial(options, locations)
    to, trial, measurement, undecided = options.to, done.trial, done.trial["measurement"], done.undecided
    if as_json:
        shown = {
            "trial": trial["trial"],
            "measurement": measurement,
            "doubts": warnings_of(trial),
            "undecided": list(undecided),
            **({"registered": asdict(done.registered)} if done.registered else {}),
        }
        print(json.dumps({"folder": str(to), **shown}, allow_nan=False))
        return
    tell = partial(plain_console(sys.stderr).print, markup=False, soft_wrap=True)
    speed, accuracy = times(measurement["speedup"]), quality_text(measurement["accuracy"], done.metric)
    held = "its claims hold" if not undecided else "what could be decided of its claims holds"
    tell(f"wrote {to}: {speed}x at {accuracy}; {held}")
    for claim in undecided:
        tell(f"! undecided: {claim}", highlight=False)
    if done.registered:
        tell(done.registered.in_words(), highlight=False)
    tell("\n  ".join(["next:", *after_export(to, done.locations)]), highlight=False)


def write_trial(options: ExportOptions, locations: Locations) -> Exported:
    """Write the picked trial into a new folder, and register it in MLflow where that is asked for.

    What happens meanwhile is told on stderr.

    Raises:
        RequestError: No such study or trial, no trial satisfies the bounds, or the folder exists.
        WorkFailed: The artifact is lost, or a claim does not hold; nothing is left behind.
    """
    disable_telemetry()
    to, bounds = options.to, [parse_option("--within", text, Constraint.parse) for text in options.within]
    _require_new_folder(to)
    study, found = open_study(options.study, locations)
    needed = ("stage_store", "tracking_uri") if options.register else ("stage_store",)
    require_credentials(options.study, study.user_attrs.get(PLACES, {}), locations, needed)
    run_ids = read_run_ids(found.folder.spool(options.study))
    document = front_document(study, run_ids)
    trial = pick_trial(document, trial_documents(study, run_ids), options.pick, bounds)
    store = open_store(found.stages)
    tell = partial(plain_console(sys.stderr).print, markup=False, soft_wrap=True)
    tell(f"exporting trial {trial['trial']} of {options.study} and checking its claims in a fresh process")
    for warning in warnings_of(trial):
        tell(f"! trial {trial['trial']}: {warning}")
    resume = resume_command(options.study, found)
    if options.register and trial["run_id"] is None:
        raise RequestError(f"--register {options.register}: MLflow has no run of this trial yet; `{resume}` sends it")
    undecided: list[str] = []
    with stop_signals.cleaning_up("nothing was exported"), quiet(), store.in_use(f"export of {options.study}"):
        artifact = _stage_folder("lowering", study, document, trial["trial"], store, resume)
        packed = _stage_folder("packing", study, document, trial["trial"], store, resume)
        assert artifact is not None, "every trial has an artifact"
        model = _exported_model(study, document, trial, artifact, packed and packed / PACKED)

        def check(written: Path) -> None:
            undecided.extend(require_claims(written, waiting=report_waiting))

        write_exported_folder(to, model, check=check, waiting=report_waiting)
    remember(found.folder, to)
    registered = None
    if options.register:
        from dashboards.registry.model_registry import register_model

        registered = register_model(run_location(study, found), options.register, to, trial["run_id"])
    return Exported(trial, QualityMetric.of_front(document), undecided, found, registered)


def pick_trial(document: Mapping[str, Any], trials: Sequence[Trial], pick: str, bounds: Sequence[Constraint]) -> Trial:
    """The trial that ``pick`` names: ``knee``, ``fastest`` or ``most-accurate`` on the front, or a number.

    A trial whose timing is unstable is picked only by its number, or where all others are unstable too. Of trials that
    are tied in everything with the fastest, the one with the fewest threads is picked.

    Raises:
        RequestError: There is no such trial, or no trial of the front satisfies the bounds.
    """
    if pick.isdecimal():
        return _numbered(int(pick), trials, bounds)
    if pick not in PICKS:
        raise RequestError(f"--pick {pick}: allowed are {', '.join(PICKS)} or a trial's number")
    if not document["front"]:
        raise RequestError(f"study {document['study']!r} has nothing to export: {headline(document)}")
    members = [member for member in document["front"] if is_feasible(member["measurement"], bounds)]
    if not members:
        raise RequestError(
            f"--within {', '.join(map(str, bounds))}: no trial of the front satisfies it; {headline(document)}"
        )
    members = [member for member in members if not member["unstable"]] or members
    if pick == "fastest":
        return fastest_first(members)[0]
    if pick == "most-accurate":
        sign = QualityMetric.of_front(document).sign
        return max(members, key=lambda m: (sign * m["measurement"]["accuracy"], m["measurement"]["speedup"]))
    objectives = find_objectives([one["name"] for one in document["objectives"]], QualityMetric.of_front(document))
    return knee(members, objectives, document["baseline"]["measurement"])


def warnings_of(trial: Trial) -> list[str]:
    """Why the measured values of a trial may be wrong, a line each."""
    unstable = instability(trial)
    return [
        *([f"unstable: {unstable}"] if unstable else []),
        *(["measured during the search only, not again at its end"] if trial["searched"] is None else []),
    ]


def _require_new_folder(to: Path) -> None:
    try:
        exists = os.path.lexists(given_path(to, Path.cwd())) or os.path.lexists(to)
    except SettingError as error:
        raise RequestError(f"--to {to}: {error}") from error
    if exists:
        raise RequestError(f"--to {to}: it exists already; give a new name or remove it first")
    if not os.access(next(parent for parent in to.absolute().parents if parent.exists()), os.W_OK | os.X_OK):
        raise RequestError(f"--to {to}: its parent folder cannot be written; name another")


def _numbered(number: int, trials: Sequence[Trial], bounds: Sequence[Constraint]) -> Trial:
    complete = {trial["trial"]: trial for trial in trials if trial["state"] == "complete"}
    if number not in complete:
        raise RequestError(
            f"--pick {number}: no complete trial has that number; complete are {', '.join(map(str, complete))}"
        )
    if not is_feasible(complete[number]["measurement"], bounds):
        raise RequestError(f"--within {', '.join(map(str, bounds))}: trial {number} does not satisfy it")
    return complete[number]


def _stage_folder(
    stage: str, study: optuna.Study, document: Mapping[str, Any], number: int, store: StageStore, resume: str
) -> Path | None:
    """The folder in the stage store of a stage of a trial, or None where the trial has no such stage; the command
    ``resume`` makes it again.
    """
    key = study.get_trials(deepcopy=False)[number].user_attrs[STAGES].get(stage)
    if key is None:
        return None
    entry = store.get(key)
    if entry is None:
        on_front = any(member["trial"] == number for member in document["front"])
        how = f"`{resume}`" if on_front else "a search under another name"
        raise WorkFailed(
            f"the artifact of trial {number} is no longer in the stage store {store}; {how} builds it again"
        )
    return entry.folder


def _exported_model(
    study: optuna.Study, document: Mapping[str, Any], trial: Trial, folder: Path, packed: Path | None
) -> ExportedModel:
    configuration, settings, baseline = trial["configuration"], study.user_attrs[SETTINGS], document["baseline"]
    workload = resolve(settings["workload"])
    return ExportedModel(
        artifact=Artifact(folder, str(configuration["runtime"]), int(configuration["threads"])),
        precision=str(configuration["numeric_precision"]),
        build=workload.network,
        example=workload.example_inputs,
        configuration=configuration,
        claims=trial["measurement"],
        baseline=baseline["measurement"],
        measured={
            "device": document["device"],
            "against": f"{baseline_text(baseline)}, in pairs in the same process",
            "baseline_threads": baseline["configuration"]["threads"],
            "baseline_tuned": bool(baseline["measurement"].get("arithmetic")),
            "batch": baseline["measurement"].get("batch", 1),
            "timed_inputs": trial["measurement"].get("timed_inputs", 1),
            "seed": settings["seed"],
            "processes": 1 if trial["searched"] is None else COMPARING_PROCESSES,
            **QualityMetric.of_front(document).to_json(),
            "doubts": warnings_of(trial),
        },
        workload=document["workload"],
        origin={"study": study.study_name, "trial": trial["trial"], "workload": settings["workload"]},
        sample=sample_of(workload.splits, workload.example_inputs),
        preparation=getattr(next(iter(workload.splits.values())), "preparation", ""),
        packed=packed,
    )
