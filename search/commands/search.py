"""Run a search from a request to its front: open what it needs, drive it, measure the front, show it."""

import io
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any

import optuna

from dashboards.progress import Progress, make_progress
from dashboards.tracking import Tracker
from dashboards.tracking_address import check_tracking_uri
from runners.machine.telemetry import silence
from runners.measuring.paired_timing import CALLS_FOR_P99
from runners.runner import Runner
from runners.stages.chain import Chains
from runners.store.location import open_store
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import check_workload_reference
from search.commands.conclusion import conclude
from search.driver.driver import Driver
from search.driver.final_measurement import measure_front
from search.driver.front_artifacts import keep_artifacts
from search.driver.observers import Observers
from search.driver.search_context import SearchContext
from search.driver.successive_halving import levels_of
from search.driver.warm_start import EarlierStudy, load_earlier_study
from search.front.front_document import front_document, trial_documents
from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets
from search.request.locations import Places
from search.request.space_file import space_document
from search.request.study_request import UNLIMITED, StudyRequest, merge
from search.samplers.factory import make_sampler
from search.study.study import StudySettings, find_study, make_study, open_storage, records
from search.study.study_lock import study_held
from spaces.space_document import make_space

TRACKING_PATIENCE_S = 60.0


def run_search(request: StudyRequest, *, as_json: bool = False, runner: Runner | None = None) -> dict[str, Any]:
    """Carry out ``request`` and print its front; a study of that name with the same settings goes on.

    Returns:
        The front document, which is also what ``as_json`` prints.

    Raises:
        RequestError: Something in the request cannot be had; nothing has run.
        WorkFailed: No trial satisfies the constraints, or the baseline failed; everything is kept.
        KeyboardInterrupt: A person stopped it; `resume_search` goes on.
    """
    begun = time.monotonic()
    silence()
    places = Places.of(request.model_dump())
    check_workload_reference(request.workload)
    objectives = find_objectives(request.objectives)
    named = [*request.objectives, *(constraint.quantity for constraint in request.constraints)]
    choices = space_document(request.space, named)
    places.home.make()
    check_tracking_uri(places.tracking)
    store = open_store(places.stages)
    storage = open_storage(places.storage)
    # Ray writes what it thinks of dead workers to stdout, which is for the result alone.
    with (
        _stoppable(),
        redirect_stdout(io.StringIO()),
        places.home.driving(request.study_name),
        study_held(places.storage, request.study_name),
        store.in_use(f"study {request.study_name}"),
        make_progress(quiet=False) as progress,
    ):
        progress.note(f"study {request.study_name}: looking at the machine and at workload {_short(request.workload)}")
        with runner or _ray_runner(places) as runner:
            environment, facts = runner.inspect(request.workload)
            settings = StudySettings(
                workload=request.workload,
                space=choices,
                objectives=tuple(request.objectives),
                constraints=tuple(str(constraint) for constraint in request.constraints),
                seed=request.seed,
                device=environment.device,
                fingerprint=facts.fingerprint,
            )
            space = make_space(choices, environment)
            earlier = EarlierStudy()
            if request.from_study:
                earlier = load_earlier_study(storage, request.from_study, space, environment.device, facts.fingerprint)
            study = make_study(storage, request.study_name, objectives, settings, environment, facts)
            study.set_user_attr("budgets", request.budgets())
            study.set_user_attr("places", places.to_json())
            least_calls = CALLS_FOR_P99 if "latency_p99_ms" in named else 0
            chains = Chains(space, facts, request.workload, request.seed, levels_of, least_calls)
            document = _drive(study, runner, chains, request, places, progress, earlier, begun, store)
    return conclude(study, document, request.constraints, as_json=as_json)


def resume_search(
    name: str, *, trials: int | None, timeout: str | None, places: Mapping[str, Any], as_json: bool = False
) -> dict[str, Any]:
    """Go on with the study called ``name`` as it was made, to its number of trials or another.

    Raises:
        RequestError: There is no such study, or the machine or the workload is no longer what it was.
        WorkFailed: See `run_search`.
    """
    silence()
    settled = Places.of(places)
    if not places.get("storage"):
        settled.home.require_storage()
    study = find_study(open_storage(settled.storage), name)
    settings, budgets = study.user_attrs["settings"], study.user_attrs["budgets"]
    known = study.user_attrs["places"]
    made = {key: settings[key] for key in ("workload", "space", "objectives", "constraints", "seed")}
    flags = {
        **{key: value for key, value in places.items() if value is not None},
        "study": name,
        **{key: value for key, value in budgets.items() if value is not None},
        **{key: value for key, value in {"trials": trials, "timeout": timeout}.items() if value is not None},
        "tracking_uri": places.get("tracking_uri") or known["tracking"],
        "stage_store": places.get("stage_store") or known["stages"],
    }
    return run_search(merge(made, flags), as_json=as_json)  # no constraint at all is a setting too


def _drive(
    study: optuna.Study,
    runner: Runner,
    chains: Chains,
    request: StudyRequest,
    places: Places,
    progress: Progress,
    earlier: EarlierStudy,
    begun: float,
    store: StageStore,
) -> dict[str, Any]:
    """Run the trials and measure the front; whatever happens, the tracking learns how it ended."""
    objectives = find_objectives(request.objectives)
    artifact_root = str(places.home.artifacts) if places.tracking == places.home.tracking else None
    tracker = Tracker(
        study.study_name, chains.facts.name, places.tracking, artifact_root, places.home.spool(study.study_name)
    )
    done = records(study)
    targets = TrialTargets(objectives, request.constraints)
    study.sampler = make_sampler(request.sampler, study, chains.space, targets, request.seed, earlier.front)
    watchers = Observers(progress, tracker, chains.space.baseline())
    search = SearchContext(study, runner, chains, objectives, request.constraints, watchers)
    left = request.time_budget - (time.monotonic() - begun) if request.time_budget else None
    driver = Driver(
        search, targets, request.most_trials, timeout_s=request.timeout, time_budget_s=left, earlier=earlier
    )
    status = "failed"
    try:
        study.set_user_attr("status", "running")
        tracker.study_started({**study.user_attrs["settings"], "budgets": study.user_attrs["budgets"]})
        progress.started(request.most_trials % UNLIMITED, sum(trial.state != "running" for trial in done))
        driver.run()
        measure_front(search)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        progress.note(f"stopped; `frontrunner resume {study.study_name}` goes on")
        raise
    finally:
        study.set_user_attr("status", status)
        document = front_document(study, tracker.run_ids())
        if document["baseline"]:
            tracker.front_changed(document, list(trial_documents(study)))
        tracker.study_ended(status)
        progress.note("writing the last records to MLflow")
        patience = TRACKING_PATIENCE_S if status == "finished" else 10.0
        if not tracker.close(patience):
            progress.note(
                f"MLflow has not taken everything yet; the rest waits in {places.home.spool(study.study_name)}"
            )
    document = front_document(study, tracker.run_ids())
    keep_artifacts(search, [member["trial"] for member in document["front"]], store)
    return document


@contextmanager
def _stoppable() -> Iterator[None]:
    """Make a polite kill the same as Ctrl-C: the study can be resumed after either."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ray_runner(places: Places) -> Runner:
    from runners.executors.ray import RayRunner

    return RayRunner(places.stages, places.address)


def _short(workload: Any) -> str:
    return workload if isinstance(workload, str) else str(workload.get("model", "without Python"))
