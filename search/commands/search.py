"""``frontrunner search`` and ``resume``: run a study from its request to its front, and print the front."""

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from typing import Any

import optuna

from dashboards.progress import Progress
from dashboards.tracking.tracker import Tracker
from runners.chains.chain import Chains
from runners.machine.telemetry import disable_telemetry
from runners.runner import Runner
from runners.store.location import open_store
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import check_workload_reference
from search.commands.hints import resume_command
from search.commands.reopened import beside_baseline, chains_of, given_settings
from search.commands.search_plan import inspecting, settings_of
from search.commands.search_result import Searched, print_json, print_result, require_front
from search.commands.studies import open_study
from search.commands.tracking.live_front import LiveFrontReports
from search.commands.tracking.recording import (
    find_tracking,
    run_location,
    send_records,
    status_recorded,
    used_variables,
)
from search.commands.tracking.report_page import send_report
from search.commands.tracking.unreported_trials import report_unreported_trials
from search.driver.baseline import offered_threads, time_baseline
from search.driver.driver import Driver
from search.driver.final_measurement import measure_front
from search.driver.front_artifacts import keep_artifacts
from search.driver.observer import Observers
from search.driver.search_context import SearchContext
from search.driver.warm_start import EarlierStudy, load_earlier_study
from search.front.front_document import front_document
from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets
from search.request.image_division import keep_division
from search.request.locations import Locations
from search.request.read_request import merge
from search.request.remembered_locations import require_credentials, to_json
from search.request.space_file import space_document
from search.request.space_place import space_named
from search.request.study_request import StudyRequest
from search.samplers.factory import make_sampler
from search.samplers.starting_points import untrained_points
from search.stop_signals import stop_signals
from search.study.attributes import BUDGETS, PLACES
from search.study.storage import open_existing_storage, open_storage
from search.study.study import make_study
from search.study.study_lock import lock_study
from spaces.search_space import SearchSpace
from spaces.space_document import make_space


def run_search(request: StudyRequest, *, as_json: bool = False, runner: Runner | None = None) -> dict[str, Any]:
    """Run a search as `carry_out` does and print its front.

    Returns:
        The front document, which is also what ``as_json`` prints.

    Raises:
        RequestError: Something in the request is not available; nothing has run.
        WorkFailed: As `carry_out`, or no trial satisfies the constraints; all trials are kept.
        KeyboardInterrupt: The search was interrupted; `resume_search` continues it.
    """
    if as_json:  # one document, with the runs that MLflow has
        searched = carry_out(request, runner)
        print_json(searched)
    else:
        searched = carry_out(request, runner, partial(print_result, stream=sys.stdout))
    require_front(searched)
    return searched.document


def carry_out(
    request: StudyRequest, runner: Runner | None = None, show: Callable[[Searched], None] | None = None
) -> Searched:
    """Run the search that ``request`` asks for; an existing study of that name is continued.

    Args:
        request: What to search.
        runner: Carries out the stages; None starts Ray.
        show: Called when all is measured and written down, before MLflow has the records; or None.

    Raises:
        RequestError: Something in the request is not available; nothing has run.
        WorkFailed: The baseline or the machine failed; all trials are kept.
        KeyboardInterrupt: The search was interrupted; `resume_search` continues it.
    """
    started = time.monotonic()
    disable_telemetry()
    locations = request.locations.with_environment()
    check_workload_reference(request.workload)
    choices = space_document(request.space, request.quantities)
    locations.folder.make()
    away = find_tracking(locations)
    if away is not None and not _is_begun(request.study_name, locations):
        raise away
    store, storage = open_store(locations.stages), open_storage(locations.studies)
    resume = resume_command(request.study_name, locations)
    start_runner = _runner_starter(runner, locations)
    with _exclusive(request.study_name, locations, store), Progress() as progress:
        for line in used_variables(locations):
            progress.note(line)
        if away is not None:
            progress.note(f"the records wait in {locations.folder.spool(request.study_name)}: {away}")
        if request.study_name in optuna.get_all_study_names(storage):
            stop_signals.leaves(f"`{resume}` continues the study")
        progress.working(f"study {request.study_name}: {inspecting(request.workload)}")
        with start_runner() as runner:
            study, chains = _prepare(request, choices, locations, storage, runner)
            for note in _notes(request, choices, locations, chains):
                progress.note(note)
            spool = locations.folder.spool(study.study_name)
            tracker = Tracker(run_location(study, locations), spool, held=request.everything)
            live = None if request.everything else LiveFrontReports(study, tracker)
            observers = Observers(progress, tracker, chains.space.baseline(), chains.facts.quality, live)
            request = request.for_metric(chains.facts.quality)
            objectives = find_objectives(request.objectives, chains.facts.quality)
            search = SearchContext(study, runner, chains, objectives, request.constraints, observers, resume)
            with status_recorded(search, tracker, progress):
                report_unreported_trials(search, tracker)
                done = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
                progress.started(request.expected_trials(chains.space), done, final=not request.everything)
                chains = _beside_best_baseline(search, choices)
                observers = Observers(progress, tracker, chains.space.baseline(), chains.facts.quality, live)
                search = replace(search, chains=chains, observer=observers)
                _make_driver(request, search, storage, started).run()
                if not request.everything:
                    measure_front(search)
                keep_artifacts(search, [member["trial"] for member in front_document(study)["front"]], store)
            if show is not None:
                progress.end_display()
                show(Searched(study, front_document(study), request.constraints, locations))
            send_report(study, locations, tracker, progress)
            send_records(tracker, progress, resume)
    return Searched(study, front_document(study, tracker.run_ids()), request.constraints, locations)


def resume_search(
    name: str, locations: Locations, *, trials: int | None, timeout: str | None, as_json: bool = False
) -> dict[str, Any]:
    """Continue the study called ``name`` with its own settings, up to its number of trials or to ``trials``.

    Raises:
        RequestError: There is no such study, or the machine or the workload has changed.
        WorkFailed: No trial satisfies the constraints, or the baseline or the machine failed; all trials are kept.
    """
    disable_telemetry()
    study, found = open_study(name, locations)
    require_credentials(name, study.user_attrs.get(PLACES, {}), locations, ("stage_store", "tracking_uri"))
    budgets = study.user_attrs[BUDGETS]
    changed = {
        **budgets,
        **{key: value for key, value in (("trials", trials), ("timeout", timeout)) if value is not None},
        "study": name,
        **found.given(),
    }
    return run_search(merge(given_settings(study), changed), as_json=as_json)


def _prepare(
    request: StudyRequest,
    choices: Mapping[str, Any],
    locations: Locations,
    storage: optuna.storages.BaseStorage,
    runner: Runner,
) -> tuple[optuna.Study, Chains]:
    """The study, new or continued, and the stages of its configurations beside a baseline on one thread.

    Raises:
        RequestError: The workload or the space does not suit this machine, or the study has other settings.
    """
    with space_named(request.space, request.space_file):
        environment, facts = runner.inspect(request.workload, choices)
        request = request.for_metric(facts.quality)
        environment = request.serve.applied_to(environment) if request.serve else environment
        space = make_space(choices, environment)
    settings = settings_of(request, choices, environment.device, facts.fingerprint)
    _earlier_study(request, storage, space, facts.fingerprint)  # refused before anything runs
    objectives = find_objectives(request.objectives, facts.quality)
    name, budgets = request.study_name, request.budgets()
    study = make_study(storage, name, objectives, settings, environment, facts, budgets, to_json(locations))
    stop_signals.leaves(f"`{resume_command(name, locations)}` continues the study")
    return study, chains_of(request, space, facts)


def _notes(request: StudyRequest, choices: Mapping[str, Any], locations: Locations, chains: Chains) -> Iterator[str]:
    """What is told before the first trial: of the data, and of the choices that are not searched.

    Which image of a folder is in which split is written down.
    """
    for note in chains.facts.notes:
        yield f"workload {chains.facts.name}: {note}"
    if kept := keep_division(request.workload, locations.folder.path / "splits" / f"{request.study_name}.csv"):
        yield kept
    for name, value, reason in chains.space.reasons():
        if isinstance(choices.get(name), list):  # it was asked for by its value
            yield f"{name} {value} is not searched: {reason}"


def _beside_best_baseline(search: SearchContext, choices: Mapping[str, Any]) -> Chains:
    """The stages of ``search`` beside a baseline on the number of threads with which it is fastest.

    A choice that is left out stays as the baseline has it, so the space is made anew.
    """
    threads = time_baseline(search, offered_threads(search.chains.space, choices))
    return beside_baseline(search.chains, search.study, threads, choices)


def _earlier_study(
    request: StudyRequest, storage: optuna.storages.BaseStorage, space: SearchSpace, fingerprint: str
) -> EarlierStudy:
    """What the study of ``--from`` knows; nothing where none is named."""
    if not request.from_study:
        return EarlierStudy()
    return load_earlier_study(storage, request.from_study, space, space.environment.device, fingerprint)


def _make_driver(
    request: StudyRequest, search: SearchContext, storage: optuna.storages.BaseStorage, started: float
) -> Driver:
    """The driver of the study, with its sampler; both time limits count from ``started``."""
    targets, space = TrialTargets(search.objectives, request.constraints, search.metric), search.chains.space
    earlier = _earlier_study(request, storage, space, search.chains.facts.fingerprint)
    at_once = untrained_points(space) if search.chains.facts.pretrained else ()
    first = [*earlier.front, *(space.configurations() if request.everything else at_once)]
    search.study.sampler = make_sampler(request.sampler, search.study, space, targets, request.seed, first)
    limit = sys.maxsize if request.trial_limit is None else request.trial_limit
    passed_s = time.monotonic() - started
    timeout_s, time_budget_s = (s - passed_s if s else None for s in (request.timeout, request.time_budget))
    limits: dict[str, Any] = {"timeout_s": timeout_s, "time_budget_s": time_budget_s, "everything": request.everything}
    return Driver(search, targets, limit, earlier=earlier, **limits)


@contextmanager
def _exclusive(study: str, locations: Locations, store: StageStore) -> Iterator[None]:
    """Run the block as the only driver of ``study``.

    Raises:
        RequestError: Another process runs the study.
    """
    with (
        stop_signals.cleaning_up("nothing was begun"),
        redirect_stdout(io.StringIO()),  # Ray prints messages on stdout, which is for the result alone
        locations.folder.lock(study),
        lock_study(locations.studies, study),
        store.in_use(f"study {study}"),
    ):
        yield


def _runner_starter(given: Runner | None, locations: Locations) -> Callable[[], Runner]:
    """What gives the runner, or starts Ray; Ray is imported here, before a signal has anything to clean up."""
    if given is not None:
        return lambda: given
    from runners.executors.ray import RayRunner

    return lambda: RayRunner(locations.stages, locations.address, locations.measure_on, locations.train_with)


def _is_begun(study: str, locations: Locations) -> bool:
    storage = open_existing_storage(locations.studies)
    return storage is not None and study in optuna.get_all_study_names(storage)
