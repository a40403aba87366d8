"""What a search would do, as one document: what it searches, for how long, and what that costs as far as is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import optuna

from runners.runner import WorkloadFacts
from runners.store.eviction import Capacity
from runners.store.local_files import LocalFiles
from runners.store.remote_files import is_url
from runners.store.users import Users
from search.driver.baseline import THREADS
from search.driver.expected_cost import ExpectedCost
from search.objectives.objective import find_objectives
from search.request.locations import Locations
from search.request.study_request import StudyRequest
from search.study.attributes import STAGES, STATUS
from search.study.study import StudySettings
from spaces.configuration import Scalar
from spaces.credentials import without_credentials
from spaces.search_space import SearchSpace
from spaces.unavailable import unavailable

MAX_COUNTED = 100_000
"""Configurations of a space that are counted; of a larger one it is said that there are more."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Resolved:
    """What a request means on this machine.

    Attributes:
        request: What is asked for.
        locations: Where things are kept, with what the environment says.
        facts: What is known of the workload.
        space: The space, as this machine and the workload's network allow it.
        baseline_threads: The baseline's number of threads, or those that it is timed with to find the fastest.
        study: The study of that name, or None where the search begins one.
        earlier_candidates: How many candidates are known from the study of ``--from``.
        cost: What a trial took so far, or None.
    """

    request: StudyRequest
    locations: Locations
    facts: WorkloadFacts
    space: SearchSpace
    baseline_threads: tuple[int, ...] = (1,)
    study: optuna.Study | None = None
    earlier_candidates: int = 0
    cost: ExpectedCost | None = None


def settings_of(request: StudyRequest, choices: Mapping[str, Any], device: str, fingerprint: str) -> StudySettings:
    """The settings of the study that ``request`` asks for.

    Args:
        request: What is asked for.
        choices: Its space as ``{parameter: [values]}``.
        device: The name of the machine that measures.
        fingerprint: A hash of the workload's data and code.
    """
    return StudySettings(
        workload=request.workload,
        space=choices,
        objectives=request.objectives,
        constraints=tuple(str(constraint) for constraint in request.constraints),
        seed=request.seed,
        device=device,
        fingerprint=fingerprint,
        serve=request.serve.to_json() if request.serve else None,
    )


def inspecting(workload: str | Mapping[str, Any]) -> str:
    """What a search does before anything else, which can take a minute, in words."""
    name = workload if isinstance(workload, str) else workload["model"]
    return f"inspecting the machine and workload {name}; each choice is tried once on its network"


def plan_document(resolved: Resolved, alike: Iterable[optuna.Study] = ()) -> Document:
    """The plan in JSON's own types.

    Args:
        resolved: What is planned.
        alike: The studies that ``resolved.cost`` is known from.
    """
    request, facts = resolved.request, resolved.facts
    study, limit = resolved.study, request.trial_limit
    finished = 0 if study is None else sum(t.state.is_finished() for t in study.get_trials(deepcopy=False))
    searched, configurations = _searched(resolved.space)
    if limit is None and request.everything:
        limit = configurations
    if len(resolved.baseline_threads) > 1 and len(searched.get(THREADS, [])) == 1:
        del searched[THREADS]  # as many as the baseline will have
    return {
        "study": request.study_name,
        "exists": study is not None,
        "status": study.user_attrs.get(STATUS, "running") if study is not None else None,
        "finished_trials": finished,
        "workload": {key: value for key, value in asdict(facts).items() if key != "fingerprint"},
        "device": resolved.space.environment.device,
        "baseline_threads": list(resolved.baseline_threads),
        "searched": {name: values for name, values in searched.items() if len(values) > 1},
        "fixed": {name: values[0] for name, values in searched.items() if len(values) == 1},
        "configurations": min(configurations, MAX_COUNTED),
        "more_configurations": configurations > MAX_COUNTED,
        "off": [asdict(entry) for entry in unavailable(resolved.space)],
        "objectives": [objective.to_json() for objective in find_objectives(request.objectives, facts.quality)],
        "constraints": [str(constraint) for constraint in request.constraints],
        "serve": request.serve.to_json() if request.serve else None,
        "sampler": request.sampler,
        "seed": request.seed,
        "from_study": request.from_study,
        "from_study_candidates": resolved.earlier_candidates,
        "trials": limit,
        "everything": request.everything,
        "timeout_s": request.timeout,
        "time_budget_s": request.time_budget,
        "places": _places(resolved.locations),
        **_expected(resolved, tuple(alike), _trials_left(limit, finished, configurations)),
    }


def _searched(space: SearchSpace) -> tuple[dict[str, list[Scalar]], int]:
    """The values that each parameter takes in some configuration, and how many configurations there are.

    Beyond `MAX_COUNTED` of them, the values that are offered take their place.
    """
    found: dict[str, set[Scalar]] = {}
    count = 0
    for configuration in islice(space.configurations(), MAX_COUNTED + 1):
        count += 1
        for name, value in configuration.items():
            found.setdefault(name, set()).add(value)
    whole = count <= MAX_COUNTED
    return {
        axis.name: [value for value in axis.values if not whole or value in found[axis.name]]
        for axis in space.axes
        if axis.name in found
    }, count


def _places(locations: Locations) -> dict[str, str | None]:
    return {
        "home": str(locations.folder.path),
        "storage": without_credentials(locations.studies),
        "tracking_uri": without_credentials(locations.tracking),
        "stage_store": without_credentials(locations.stages),
        "address": locations.address,
    }


def _trials_left(limit: int | None, finished: int, configurations: int) -> int:
    """How many trials the search still runs where no time limit ends it; none is tried twice."""
    untried = max(0, configurations - finished)
    return untried if limit is None else min(max(0, limit - finished), untried)


def _expected(resolved: Resolved, alike: Sequence[optuna.Study], trials: int) -> Document:
    """What a trial and the search cost in time and on the disk; None where that is not known."""
    cost, request = resolved.cost, resolved.request
    if cost is None:
        return {"trials_left": trials, "trial": None, "search_s": None, "trial_bytes": None, "search_bytes": None}
    trial = {**asdict(cost), "studies": list(cost.studies)}
    search_s = cost.search_s(trials, request.timeout, request.time_budget)
    trial_bytes = _trial_bytes(alike, resolved.locations.stages)
    within = min(trials, int(search_s / cost.trial_s)) if cost.trial_s > 0 else trials
    return {
        "trials_left": trials,
        "trial": trial,
        "search_s": search_s,
        "trial_bytes": trial_bytes,
        "search_bytes": None if trial_bytes is None else within * trial_bytes,
    }


def _trial_bytes(studies: Sequence[optuna.Study], store: str) -> int | None:
    """Mean bytes that a complete trial of ``studies`` left in the stage store beyond the baseline's; None if unknown.

    What several trials share counts once.
    """
    folder = Path(store).expanduser()
    if is_url(store) or not (folder / "entries").is_dir():
        return None
    capacity = Capacity(LocalFiles(folder), Users(folder / "users"), lambda entry: False)
    trials = [t for study in studies for t in study.get_trials(deepcopy=False) if STAGES in t.user_attrs]
    shared = _with_inputs(capacity, [t.user_attrs[STAGES] for t in trials if not t.number])
    own = _with_inputs(capacity, [t.user_attrs[STAGES] for t in trials if t.number]) - shared
    sizes = {entry.key: entry.size for entry in capacity.entries()}
    counted = sum(t.number > 0 for t in trials)
    kept = sum(sizes.get(key, 0) for key in own)
    return kept // counted if counted and kept else None


def _with_inputs(capacity: Capacity, stages: Sequence[Mapping[str, str]]) -> set[str]:
    """The keys of these stages and of all stages before them."""
    found: set[str] = set()
    waiting = [key for keys in stages for key in keys.values()]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += capacity.manifest(key).get("origin", {}).get("inputs", {}).values()
    return found
