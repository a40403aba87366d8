"""The baseline of a study, before trial 0 is measured: its number of threads, and the timing resolution.

The timing resolution is the smallest relative difference in speed that is significant on the machine of the study. Both
come from timing the baseline against itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import Trial

from dashboards.baseline_text import choice_text
from runners.runner import StageOutcome, StageTask
from search.driver.search_context import SearchContext
from search.study.attributes import BASELINE, CONFIGURATION, FAILURE, TIMING_RESOLUTION
from search.study.stage_times import add_study_times, stage_time
from search.study.study import record
from spaces.errors import WorkFailed
from spaces.search_space import SearchSpace
from spaces.technique import Earlier

THREADS = "threads"
"""The parameter of the number of threads."""


def offered_threads(space: SearchSpace, choices: Mapping[str, Any]) -> tuple[int, ...]:
    """The numbers of threads with which the baseline is timed, the fewest first.

    They are 1 and those that ``choices`` offer and this machine has cores for; where ``choices`` say nothing of
    threads, all that the machine offers. Where the threads of every call are given, there is no choice.

    Args:
        space: The space that was made of ``choices``.
        choices: ``{parameter: [values]}``, as they were asked for.
    """
    environment = space.environment
    if environment.call_threads is not None:
        return (environment.call_threads,)
    for axis in space.axes:
        if axis.name == THREADS:
            values = axis.values if THREADS in choices else axis.technique.choices(axis.parameter, environment)
            fitting = [int(value) for value in values if axis.reason(value, Earlier({}, False), environment) is None]
            return tuple(sorted({1, *fitting}))
    return (1,)


def time_baseline(search: SearchContext, offered: Sequence[int]) -> int:
    """Time the baseline against itself, keep what that showed with the study, and give its number of threads back.

    The number of threads is found once in a study. The timing resolution is measured anew by every driver until it
    can be trusted. Trial 0 exists before anything runs, so that a teacher that fails is a baseline that failed.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        offered: The numbers of threads to choose from.

    Raises:
        WorkFailed: The teacher failed, so that there is no baseline.
        MachineFailed: The machine failed; a later driver begins anew.
    """
    study = search.study
    threads, known = known_threads(study), study.user_attrs.get(TIMING_RESOLUTION, {})
    if threads is not None and "resolution" in known and not known["unstable"]:
        return threads
    unmeasured = _unmeasured_baseline(search)
    outcome = _run(search, search.chains.teacher())
    if outcome.failure and unmeasured:
        unmeasured.set_user_attr(FAILURE, outcome.failure)
        raise baseline_failed(outcome.failure, search.resume)
    occasion = known.get("occasion", -1) + 1
    offered, tuned = (offered, None) if threads is None else ([threads], is_tuned(study))
    outcome = _run(search, search.chains.calibrating(study.study_name, offered, occasion, tuned))
    if unmeasured:
        unmeasured.set_user_attr(CONFIGURATION, None)  # the driver chooses it, now that the threads are known
    if outcome.failure:
        search.observer.note(f"how small a difference may be believed is not known: {outcome.failure}")
        study.set_user_attr(TIMING_RESOLUTION, {**known, "unstable": outcome.failure, "occasion": occasion})
        return threads or 1
    chosen = {name: outcome.result[name] for name in ("threads", "by_threads", "tuned")}
    if threads is None:
        study.set_user_attr(BASELINE, chosen)
        if chosen["by_threads"]:
            search.observer.note(choice_text(chosen))
    resolution = {name: value for name, value in outcome.result.items() if name not in chosen}
    study.set_user_attr(TIMING_RESOLUTION, {**resolution, "occasion": occasion})
    return int(chosen["threads"])


def known_threads(study: optuna.Study) -> int | None:
    """The number of threads of the baseline of ``study``; None where it is not chosen yet."""
    if BASELINE in study.user_attrs:
        return int(study.user_attrs[BASELINE]["threads"])
    first = next(iter(study.get_trials(deepcopy=False)), None)
    measured = first is not None and first.state.is_finished() and record(first).configuration
    return int(measured.get(THREADS, 1)) if measured else None


def is_tuned(study: optuna.Study) -> bool:
    """Whether the baseline of ``study`` runs on an accelerator with TF32 and channels_last."""
    return bool(study.user_attrs.get(BASELINE, {}).get("tuned", False))


def baseline_failed(reason: str, resume: str) -> WorkFailed:
    """The error that ends a search whose baseline failed."""
    return WorkFailed(f"the baseline failed ({reason}), so there is nothing to compare with; `{resume}` runs it again")


def _unmeasured_baseline(search: SearchContext) -> Trial | None:
    """Trial 0, which is made where there is none, with the baseline's choices so far; None where it is measured."""
    study = search.study
    known = study.get_trials(deepcopy=False)
    if known and known[0].state.is_finished():
        return None
    trial = Trial(study, known[0]._trial_id) if known else study.ask()
    trial.set_user_attr(CONFIGURATION, search.chains.space.baseline().canonical())
    if known and FAILURE in known[0].user_attrs:
        trial.set_user_attr(FAILURE, None)
    return trial


def _run(search: SearchContext, task: StageTask) -> StageOutcome:
    search.observer.stage_started(0, task.stage)
    outcome = search.run_alone(task)
    add_study_times(search.study, [stage_time(task.stage, outcome)])
    search.observer.stage_ended(0, task.stage, outcome.seconds, outcome.from_store)
    return outcome
