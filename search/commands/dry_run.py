"""``frontrunner search --dry-run``: what a search would do; nothing is started and nothing is written."""

import json
from dataclasses import replace
from typing import Any

import optuna
from rich.console import Console
from rich.table import Column
from rich.text import Text

from dashboards.progress import Progress
from dashboards.time_left import duration
from runners.executors.inspection import inspect_on_this_machine
from runners.machine.telemetry import disable_telemetry
from runners.metric import QualityMetric
from runners.workload_loading.reference import check_workload_reference
from runners.workload_loading.user_module import quiet
from search.commands.search_plan import Resolved, inspecting, plan_document, settings_of
from search.commands.terminal import plain_table
from search.driver.baseline import known_threads, offered_threads
from search.driver.expected_cost import expected_cost
from search.driver.warm_start import EarlierStudy, load_earlier_study
from search.request.serving_use import use_text
from search.request.space_file import space_document
from search.request.space_place import space_named
from search.request.study_request import StudyRequest
from search.request.units import size_text
from search.stop_signals import stop_signals
from search.study.attributes import SETTINGS
from search.study.storage import open_existing_storage
from search.study.study import find_study, refuse_other_settings
from spaces.errors import RequestError
from spaces.space_document import make_space

METRIC = ("metric", "higher_is_better", "metric_unit")
UNKNOWN = "not known yet"


def show_plan(request: StudyRequest, *, as_json: bool) -> None:
    """Print what the search of ``request`` would do. The workload is loaded and checked in this process.

    Raises:
        RequestError: Something in the request is not available, as the search itself would find.
    """
    disable_telemetry()
    with stop_signals.cleaning_up("nothing was begun"), Progress() as progress, quiet():
        progress.working(inspecting(request.workload))
        document = _resolve(request)
    if as_json:
        print(json.dumps(document, allow_nan=False))
    else:
        _print(document)


def _resolve(request: StudyRequest) -> dict[str, Any]:
    locations = request.locations.with_environment()
    check_workload_reference(request.workload)
    choices = space_document(request.space, request.quantities)
    with space_named(request.space, request.space_file):
        environment, facts = inspect_on_this_machine(request.workload, choices)
        request = request.for_metric(facts.quality)
        environment = request.serve.applied_to(environment) if request.serve else environment
        space = make_space(choices, environment)
    settings = settings_of(request, choices, environment.device, facts.fingerprint)
    storage = open_existing_storage(locations.studies)
    names = optuna.get_all_study_names(storage) if storage is not None else []
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names] if storage is not None else []
    study = next((study for study in studies if study.study_name == request.study_name), None)
    if study is not None and (SETTINGS in study.user_attrs or study.get_trials(deepcopy=False)):
        refuse_other_settings(study, settings)
    threads = known_threads(study) if study is not None else None
    baseline = offered_threads(space, choices) if threads is None else (threads,)
    space = make_space(choices, replace(environment, baseline_threads=baseline[0]))
    earlier = EarlierStudy()
    if request.from_study:
        if storage is None:
            raise RequestError(f"--from {request.from_study}: no study is kept in {locations.studies} yet")
        find_study(storage, request.from_study)
        earlier = load_earlier_study(storage, request.from_study, space, environment.device, facts.fingerprint)
    cost = expected_cost(studies, request.study_name, settings)
    resolved = Resolved(request, locations, facts, space, baseline, study, len(earlier.figures), cost)
    return plan_document(resolved, [one for one in studies if cost is not None and one.study_name in cost.studies])


def _print(plan: dict[str, Any]) -> None:
    table = plain_table(Column(no_wrap=True), Column(overflow="fold"))
    table.show_header = False
    rows = [*_what(plan), *_limits(plan), *_cost(plan)]
    for index, (label, value) in enumerate(rows):
        repeated = index > 0 and rows[index - 1][0] == label
        table.add_row("" if repeated else Text(label, style="bold"), Text(value))
    console = Console()
    console.print("what a search would do; nothing was started", highlight=False)
    console.print(table)


def _what(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """What is searched: study, workload, machine, choices, and what is off."""
    workload, study, cluster = plan["workload"], plan["study"], plan["places"]["address"]
    known = f"{study}: goes on after {plan['finished_trials']} finished trials" if plan["exists"] else f"{study}, new"
    examples = ", ".join(f"{count} {split}" for split, count in workload["examples"].items())
    trained = "comes with its weights" if workload["pretrained"] else "is trained first"
    several = [f"{name}: {_listed(values)}" for name, values in plan["searched"].items()]
    fixed = ", ".join(f"{name} {value}" for name, value in plan["fixed"].items())
    return [
        ("study", known),
        ("workload", f"{workload['name']}: inputs {_inputs(workload)}, examples {examples}; the model {trained}"),
        *(("", note) for note in workload["notes"]),
        ("machine", plan["device"]),
        *([("cluster", f"{cluster}, which may offer other choices")] if cluster else []),
        ("baseline", f"the model as it is, on {_threads(plan['baseline_threads'])}"),
        *(("searched", line) for line in several or ["nothing"]),
        *([("stays", fixed)] if fixed else []),
        ("configurations", f"{'more than ' * plan['more_configurations']}{plan['configurations']:,}"),
        *(("off here", f"{off['choice']} {off['value']}: {off['reason']}") for off in plan["off"]),
    ]


def _inputs(workload: dict[str, Any]) -> str:
    """``of 1x32x32``, or the shapes of several inputs by name; ``any`` is a size that may differ between calls."""
    shapes = workload["inputs"] or {"input": workload["input_shape"]}
    texts = {name: "x".join("any" if size is None else str(size) for size in shape) for name, shape in shapes.items()}
    alone = len(texts) == 1
    return f"of {next(iter(texts.values()))}" if alone else ", ".join(f"{name} {text}" for name, text in texts.items())


def _limits(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """What is optimised, how far, and where it is kept."""
    objectives = ", ".join(f"{objective['name']} ({objective['direction']})" for objective in plan["objectives"])
    begins = "but the baseline is timed" if plan["everything"] else "begins"
    limits = [
        "any number of trials" if plan["trials"] is None else f"{plan['trials']} trials",
        *([f"none {begins} after {duration(plan['timeout_s'])}"] if plan["timeout_s"] else []),
        *([f"everything within {duration(plan['time_budget_s'])}"] if plan["time_budget_s"] else []),
    ]
    limits += [] if plan["timeout_s"] or plan["time_budget_s"] else ["no time limit"]
    places = plan["places"]
    warm = f"; with {plan['from_study_candidates']} candidates of {plan['from_study']}" if plan["from_study"] else ""
    return [
        ("objectives", objectives),
        ("accuracy is", QualityMetric(*(plan["workload"][name] for name in METRIC)).in_words),
        ("constraints", ", ".join(plan["constraints"]) or "none"),
        ("timed for", use_text(plan["serve"])),
        ("limits", ", ".join(limits)),
        ("sampler", f"{plan['sampler']}, seed {plan['seed']}{warm}"),
        ("home", places["home"]),
        *((name.replace("_", " "), places[name]) for name in ("storage", "tracking_uri", "stage_store")),
    ]


def _cost(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """What a trial and the whole search cost."""
    trial = plan["trial"]
    if trial is None:
        return [("one trial", UNKNOWN), ("time", UNKNOWN), ("disk", UNKNOWN)]
    parts = [("a training", trial["training_s"]), ("a timing", trial["measuring_s"])]
    medians = ", ".join(f"{name} {duration(seconds)}" for name, seconds in parts if seconds)
    known = f"{trial['trials']} trials of {', '.join(trial['studies'])}"
    size, whole = plan["trial_bytes"], plan["search_bytes"]
    return [
        ("one trial", f"{duration(trial['trial_s'])} in the mean of {known}"),
        *([("", f"{medians} in the median")] if medians else []),
        ("time", f"about {duration(plan['search_s'])} for {plan['trials_left']} trials one after the other"),
        ("", "less where some run at the same time or come out of the stage store"),
        ("disk", UNKNOWN if size is None else f"about {size_text(whole)}, {size_text(size)} a trial"),
    ]


def _threads(offered: list[int]) -> str:
    if len(offered) > 1:
        return f"the number of threads that is fastest, which the search finds first: {_listed(offered)}"
    return "1 thread" if offered == [1] else f"{offered[0]} threads"


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))
