"""``frontrunner explain``: what each choice of a trial gives and costs, and which choices mattered in its study."""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console

from dashboards.explanation_table import print_explanation
from dashboards.figures.explanation_figure import check_figure_file, write_explanation
from dashboards.progress import plain_console
from runners.machine.telemetry import disable_telemetry
from runners.runner import Runner
from runners.store.location import open_store
from search.commands.export import pick_trial
from search.commands.hints import explain_command
from search.commands.options import parse_option
from search.commands.reopened import beside_baseline, chains_of, given_settings
from search.commands.studies import document_of, open_study
from search.driver.baseline import known_threads
from search.driver.search_context import SearchContext
from search.driver.stage_costs import StageCosts
from search.explain.explanation import explain, stored_in
from search.explain.measuring import IsStored
from search.explain.time_left import TimeLeft
from search.front.front_document import trial_documents
from search.objectives.objective import find_objectives
from search.request.locations import Locations
from search.request.read_request import merge
from search.request.remembered_locations import require_credentials
from search.request.units import parse_duration
from search.stop_signals import stop_signals
from search.study.attributes import ENVIRONMENT, EXPLAINED, PLACES, SETTINGS
from search.study.study import TrialRecord
from search.study.study_lock import lock_study
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.space_document import make_space

Trial = Mapping[str, Any]
DEFAULT_BUDGET = "5m"


@dataclass(frozen=True)
class ExplainOptions:
    """What ``frontrunner explain`` explains, and in which time.

    Attributes:
        study: Name of the study.
        trial: Number of the trial; None is the one that ``frontrunner export`` would pick.
        cached_only: Whether nothing is trained.
        time_budget: How long it may take, as text.
        figure: File of the figure, or None.
    """

    study: str
    trial: int | None = None
    cached_only: bool = False
    time_budget: str = DEFAULT_BUDGET
    figure: Path | None = None


def explain_trial(
    options: ExplainOptions, locations: Locations, *, as_json: bool, runner: Runner | None = None
) -> dict[str, Any]:
    """Print the explanation of a trial as tables or as one JSON document, and write its figure.

    Args:
        options: What is explained.
        locations: Where the study is kept, and where stages run.
        as_json: Print one JSON document.
        runner: Carries out the stages; None starts Ray.

    Returns:
        The document.

    Raises:
        RequestError: There is no such study or trial, it has nothing to explain, or it is of another machine.
        WorkFailed: The trial cannot be built any more, or the machine failed.
    """
    disable_telemetry()
    budget_s = parse_option("--time-budget", options.time_budget, parse_duration)
    if options.figure:
        check_figure_file(options.figure)
    study, found = open_study(options.study, locations)
    require_credentials(options.study, study.user_attrs.get(PLACES, {}), locations, ("stage_store",))
    front = document_of(study, found.folder)
    trial = _picked(front, trial_documents(study), options.trial)
    tell = partial(plain_console(sys.stderr).print, markup=False, soft_wrap=True, highlight=False)
    for note in _notes(front, trial):
        tell(note)
    left = _time_left(study, options, budget_s)
    with _alone(options, found), _search(study, found, runner, tell) as (search, is_stored):
        document = explain(search, trial, front, is_stored, left)
        study.set_user_attr(f"{EXPLAINED}:{trial['trial']}", document)  # for `frontrunner report`
    if options.figure:
        write_explanation(document, options.figure)
        tell(f"wrote {options.figure}")
    if as_json:
        print(json.dumps(document, allow_nan=False))
    else:
        print_explanation(Console(), document)
    return document


def _picked(front: Mapping[str, Any], trials: Sequence[Trial], number: int | None) -> Trial:
    """The trial to explain.

    Raises:
        RequestError: It is the baseline, it failed, or there is none of that number.
    """
    if number is None and not front["front"]:
        raise RequestError(f"study {front['study']!r} has no front yet; give the number of a complete trial")
    known = {trial["trial"]: trial for trial in trials}
    complete = [str(n) for n, trial in known.items() if trial["state"] == "complete" and n]
    numbers = f"complete are {', '.join(complete)}" if complete else "no other trial is complete"
    if number is not None and number not in known:
        raise RequestError(f"study {front['study']!r} has no trial {number}; {numbers}")
    trial = pick_trial(front, trials, "knee", []) if number is None else known[number]
    if trial["trial"] == 0:
        chosen = "trial 0, which `frontrunner export` would pick," if number is None else "trial 0"
        raise RequestError(f"{chosen} is the baseline, of which no choice can be taken back; {numbers}")
    if trial.get("state", "complete") != "complete":
        raise RequestError(f"trial {number} {_state(trial)}, so there is nothing to explain; {numbers}")
    return trial


def _state(trial: Trial) -> str:
    if trial["state"] == "running":
        return "is not finished"
    return f"{'was stopped' if trial['state'] == 'stopped' else 'failed'} ({trial['failure']})"


def _notes(front: Mapping[str, Any], trial: Trial) -> Iterator[str]:
    """What should be known of the trial before it is explained."""
    members = [member["trial"] for member in front["front"] if member["trial"]]
    if front["status"] != "finished":
        yield f"the search of {front['study']} is not finished: the front may still change"
    if trial["trial"] not in members:
        others = ", ".join(map(str, members)) or "none but the baseline"
        yield f"trial {trial['trial']} is not on the front; on it are {others}"
    elif len(members) == 1:
        yield f"trial {trial['trial']} is the only member of the front besides the baseline"


def _time_left(study: optuna.Study, options: ExplainOptions, budget_s: float) -> TimeLeft:
    costs = StageCosts()
    costs.recall(study.get_trials(deepcopy=False))
    return TimeLeft(budget_s, options.cached_only, costs.training_s)


@contextmanager
def _alone(options: ExplainOptions, found: Locations) -> Iterator[None]:
    """Run the block while no search goes on with the study.

    Raises:
        RequestError: Another process runs the study.
    """
    again = f"what is trained and timed is kept; `{explain_command(options.study, found, options.trial)}` goes on"
    with (
        stop_signals.cleaning_up(again),
        redirect_stdout(io.StringIO()),  # Ray prints messages on stdout, which is for the result alone
        found.folder.lock(options.study),
        lock_study(found.studies, options.study),
    ):
        yield


@contextmanager
def _search(
    study: optuna.Study, found: Locations, runner: Runner | None, tell: Any
) -> Iterator[tuple[SearchContext, IsStored]]:
    """The study as its search had it, on a runner, and what the stage store holds.

    Raises:
        RequestError: The study is of another machine, or its workload has changed.
    """
    settings = study.user_attrs[SETTINGS]
    request = merge(given_settings(study), {"study": study.study_name, **found.given()})
    store = open_store(found.stages)
    threads = known_threads(study)
    if threads is None:
        raise RequestError(f"study {study.study_name!r} has no baseline yet; `frontrunner resume` measures it")
    with store.in_use(f"explanation of {study.study_name}"), runner or _ray(found) as runs:
        # What cannot be made with its network was tried when the search began.
        environment, facts = runs.inspect(request.workload, {})
        known = Environment.from_json(study.user_attrs[ENVIRONMENT])
        environment = replace(environment, model_limits=known.model_limits)
        request = request.for_metric(facts.quality)
        environment = request.serve.applied_to(environment) if request.serve else environment
        _require_same(study.study_name, settings, environment.device, facts.fingerprint)
        chains = chains_of(request, make_space(settings["space"], environment), facts)
        chains = beside_baseline(chains, study, threads, settings["space"])
        objectives = find_objectives(request.objectives, facts.quality)
        context = SearchContext(study, runs, chains, objectives, request.constraints, Lines(tell))
        yield context, stored_in(store)


def _ray(found: Locations) -> Runner:
    from runners.executors.ray import RayRunner

    return RayRunner(found.stages, found.address, found.measure_on, found.train_with)


def _require_same(name: str, settings: Mapping[str, Any], device: str, fingerprint: str) -> None:
    """Raise `RequestError` where timings and accuracies of now cannot be compared with those of the study."""
    if device != settings["device"]:
        raise RequestError(
            f"study {name!r} was measured on {settings['device']} and this is {device}: timings of two machines cannot "
            "be compared; explain it there, or search here with `--from`"
        )
    if fingerprint != settings["fingerprint"]:
        raise RequestError(
            f"the data or the code of the workload of study {name!r} changed since it was searched; put back what it "
            "was, or search again under another name"
        )


class Lines:
    """An observer that prints a line for what takes long.

    Args:
        tell: Prints a line.
    """

    def __init__(self, tell: Any) -> None:
        self._tell = tell

    def stage_started(self, trial: int | None, stage: str) -> None:
        """Nothing is printed when a stage begins."""

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        """Print what took longer than a second."""
        if not from_store and seconds > 1:
            self._tell(f"{stage} took {seconds:.1f} s")

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        """There are no trials."""

    def note(self, text: str) -> None:
        """Print what a person should know."""
        self._tell(text)
