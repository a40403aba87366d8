"""Run a search from a request to its front: open what it needs, drive it, measure the front, show it."""

import io
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import optuna

from dashboards.progress import Progress, make_progress
from dashboards.tracking import Tracker
from dashboards.tracking_address import check_tracking_uri
from runners.runner import Runner
from runners.stages.chain import Chains
from runners.telemetry import silence
from runners.workload_reference import check_workload_reference
from search.config import StudyRequest, merge
from search.constraints import Constraint
from search.distinct_sampler import DistinctSampler, starting_points
from search.driver import Driver
from search.finals import settle_front
from search.front import all_measured, front_document, measured, nearest
from search.home import Home
from search.objectives import find_objectives
from search.space_file import space_document
from search.study import StudySettings, find_study, make_study, open_storage, records
from search.terminal import print_front
from search.watchers import Watchers
from spaces.errors import WorkFailed
from spaces.space_document import make_space

TRACKING_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Places:
    """Where a search keeps things and where it runs, with every default settled."""

    home: Home
    storage: str
    tracking: str
    stages: Path
    address: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Places":
        """From the flags ``home``, ``storage``, ``tracking_uri``, ``stage_store`` and ``address``."""
        home = Home.find(given.get("home"))
        return cls(
            home,
            given.get("storage") or home.storage,
            given.get("tracking_uri") or home.tracking,
            Path(given.get("stage_store") or home.stages).absolute(),
            given.get("address"),
        )


def run_search(request: StudyRequest, *, as_json: bool = False, runner: Runner | None = None) -> dict[str, Any]:
    """Carry out ``request`` and print its front; a study of that name with the same settings goes on.

    Returns:
        The front document, which is also what ``as_json`` prints.

    Raises:
        RequestError: Something in the request cannot be had; nothing has run.
        WorkFailed: No trial satisfies the constraints, or the baseline failed; everything is kept.
        KeyboardInterrupt: A person stopped it; `resume_search` goes on.
    """
    silence()
    places = Places.of(request.model_dump())
    check_workload_reference(request.workload)
    objectives = find_objectives(request.objectives)
    choices = space_document(request.space)
    places.home.make()
    check_tracking_uri(places.tracking)
    storage = open_storage(places.storage)
    # Ray writes what it thinks of dead workers to stdout, which is for the result alone.
    with (
        _stoppable(),
        redirect_stdout(io.StringIO()),
        places.home.driving(request.study_name),
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
            study = make_study(storage, request.study_name, objectives, settings, environment, facts)
            study.set_user_attr("budgets", {"trials": request.trials, "timeout": request.timeout})
            study.set_user_attr("places", {"tracking": places.tracking, "stages": str(places.stages)})
            chains = Chains(space, facts, request.workload, request.seed)
            document = _drive(study, runner, chains, request, places, progress)
    return _conclude(study, document, request.constraints, as_json=as_json)


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
    flags = {
        **{key: settings[key] for key in ("workload", "space", "objectives", "constraints", "seed")},
        **{key: value for key, value in places.items() if value is not None},
        "study": name,
        "trials": trials or budgets["trials"],
        "timeout": timeout or budgets["timeout"],
        "tracking_uri": places.get("tracking_uri") or known["tracking"],
        "stage_store": places.get("stage_store") or known["stages"],
    }
    return run_search(merge({}, flags), as_json=as_json)


def _drive(
    study: optuna.Study, runner: Runner, chains: Chains, request: StudyRequest, places: Places, progress: Progress
) -> dict[str, Any]:
    """Run the trials and measure the front; whatever happens, the tracking learns how it ended."""
    objectives = find_objectives(request.objectives)
    artifact_root = str(places.home.artifacts) if places.tracking == places.home.tracking else None
    tracker = Tracker(
        study.study_name, chains.facts.name, places.tracking, artifact_root, places.home.spool(study.study_name)
    )
    done = records(study)
    study.sampler = _sampler(study, chains, request.seed)
    watchers = Watchers(progress, tracker, chains.space.baseline())
    driver = Driver(study, runner, chains, objectives, request.constraints, watchers, request.trials, request.timeout)
    status = "failed"
    try:
        study.set_user_attr("status", "running")
        tracker.study_started({**study.user_attrs["settings"], "budgets": study.user_attrs["budgets"]})
        progress.started(request.trials, sum(trial.state != "running" for trial in done))
        driver.run()
        settle_front(study, runner, chains, objectives, request.constraints, watchers)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        progress.note(f"stopped; `frontrunner resume {study.study_name}` goes on")
        raise
    finally:
        study.set_user_attr("status", status)
        document = front_document(study, tracker.run_ids())
        if document["baseline"]:
            tracker.front_changed(document, list(all_measured(study)))
        tracker.study_ended(status)
        progress.note("writing the last records to MLflow")
        patience = TRACKING_PATIENCE_S if status == "finished" else 10.0
        if not tracker.close(patience):
            progress.note(
                f"MLflow has not taken everything yet; the rest waits in {places.home.spool(study.study_name)}"
            )
    return front_document(study, tracker.run_ids())


def _sampler(study: optuna.Study, chains: Chains, seed: int) -> DistinctSampler:
    """Seeded from the study's seed and the trials so far: a study that is opened again must not repeat itself."""
    trials = records(study)
    own = seed * 1_000_003 + len(trials)
    inner = optuna.samplers.TPESampler(seed=own % 2**32, n_startup_trials=12, constant_liar=True)
    tried = {trial.configuration.canonical() for trial in trials if trial.configuration is not None}
    return DistinctSampler(inner, chains.space, tried, first=starting_points(chains.space), seed=own)


def _conclude(
    study: optuna.Study, document: dict[str, Any], constraints: Sequence[Constraint], *, as_json: bool
) -> dict[str, Any]:
    """Print the front, or say that nothing satisfies the constraints and what came nearest."""
    if as_json:
        print(json.dumps(document, allow_nan=False))
    if not document["front"]:
        raise WorkFailed(_nothing_feasible(study, constraints))
    if not as_json:
        print_front(document, next_commands(document))
    return document


def _nothing_feasible(study: optuna.Study, constraints: Sequence[Constraint]) -> str:
    closest = measured(nearest(records(study), constraints), {})
    figures = closest["measurement"]
    missed = ", ".join(
        f"{constraint} (it has {figures[constraint.quantity]:.4g})"
        for constraint in constraints
        if constraint.violation(figures) > 0
    )
    return (
        f"no trial satisfies every constraint; the nearest, trial {closest['trial']}, misses {missed}. "
        f"All trials are kept: `frontrunner front {study.study_name} --all`"
    )


def next_commands(document: Mapping[str, Any]) -> list[str]:
    """What a person would type after a search."""
    name = document["study"]
    return [
        "frontrunner ui",
        f'frontrunner export {name} --to exported --pick fastest --within "accuracy_drop<=0.01"',
        f"frontrunner front {name} --all",
    ]


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
    from runners.ray_runner import RayRunner

    return RayRunner(places.stages, places.address)


def _short(workload: Any) -> str:
    return workload if isinstance(workload, str) else str(workload.get("model", "without Python"))
