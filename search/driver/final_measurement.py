"""The final measurement of a front: evaluated on the test split, and timed once more in fresh processes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna

from dashboards.formatting import times
from runners.measuring.measurement import figures_of
from runners.measuring.paired_timing import joined
from runners.quality.answers import answers_of_stage
from runners.runner import StageOutcome, StageTask
from search.driver.accuracy_drop import AnswersBySplit, drop_figures
from search.driver.search_context import WAIT_S, SearchContext
from search.driver.trial_recorder import why_unknown
from search.front.front import compute_front
from search.front.runtime_alone import runtime_alone
from search.study.attributes import FINAL, FINAL_ANSWERS, FINAL_OCCASION, FINAL_TRIALS, RUNTIME_ALONE, STAGES
from search.study.stage_times import StageTime, add_study_times, stage_time
from search.study.study import TrialRecord, final_answers_of, records, timing_resolution
from spaces.configuration import Configuration

SERVED = {"throughput_per_s", "load_ms", "peak_memory_mib", "energy_mj", "device_p50_ms"}
"""Quantities that timing the front together does not give."""


def measure_front(search: SearchContext) -> None:
    """Make the final measurement of the front of a study, and keep the figures with it; nothing where that is done.

    A front that is measured already is measured again only where a trial was added or a figure was unstable.
    """
    study, observer = search.study, search.observer
    complete = [trial for trial in records(study) if trial.state == "complete"]
    resolution = timing_resolution(study)
    members, _ = compute_front(complete, search.objectives, search.constraints, resolution=resolution)
    if not members or _is_up_to_date(study, members):
        return
    observer.note("measuring the baseline and the front once more, with the test split")
    occasion = study.user_attrs.get(FINAL_OCCASION, 0)
    study.set_user_attr(FINAL, {})
    finals, answers = _final_figures(search, members, occasion)
    alone = runtime_alone(complete, complete[0].configuration or {})
    timed_only = _time_together(search, finals, alone, occasion) if finals else {}
    for number in finals:
        study.set_user_attr(f"{FINAL_ANSWERS}:{number}", {n: one.to_json() for n, one in answers[number].items()})
    study.set_user_attr(FINAL_OCCASION, occasion + 1)
    study.set_user_attr(RUNTIME_ALONE, timed_only)
    study.set_user_attr(FINAL_TRIALS, len(records(study)))
    study.set_user_attr(FINAL, {str(number): figures for number, figures in finals.items()})
    validation = final_answers_of(study.user_attrs)
    stayed, _ = compute_front(complete, search.objectives, search.constraints, finals, resolution, validation)
    for trial in members:
        if trial.number in finals and trial.number not in {one.number for one in stayed}:
            observer.note(f"trial {trial.number} left the front: {_why_it_left(search, trial, finals[trial.number])}")


def _final_figures(
    search: SearchContext, members: Sequence[TrialRecord], occasion: int
) -> tuple[dict[int, dict[str, Any]], dict[int, AnswersBySplit]]:
    """Final figures and answers of the baseline and ``members`` of the front; the test split is used here alone.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        members: The front as the search found it.
        occasion: How often the front of this study was measured before: each time is a measurement of its own.

    Returns:
        Figures by trial number, the baseline's first, for those whose measurement succeeded, and what each answered;
        none at all where the baseline's failed, since there is nothing to compare them with.
    """
    observer, trials = search.observer, records(search.study)
    everyone = {t.number: t for t in [*trials[:1], *members]}
    finals: dict[int, dict[str, Any]] = {}
    answers: dict[int, AnswersBySplit] = {}
    for number, outcome in _measure_each(search, everyone, occasion).items():
        if not outcome.failure:
            finals[number], answers[number] = figures_of(outcome.result), answers_of_stage(outcome.result)
        elif number == 0:
            observer.note(
                f"the front keeps its figures of the search: the final measurement of the baseline failed "
                f"({outcome.failure}); `{search.resume}` measures again"
            )
            return {}, {}
        else:
            observer.note(f"trial {number} leaves the front: its final measurement failed ({outcome.failure})")
    for number, figures in finals.items():
        reference = answers[0] if number else {}
        figures.update(drop_figures(figures, finals[0], answers[number], reference, search.metric))
    return finals, answers


def _measure_each(search: SearchContext, everyone: Mapping[int, TrialRecord], occasion: int) -> dict[int, StageOutcome]:
    """The outcomes of the final measurement of ``everyone``, by trial number and in their order.

    They are evaluated side by side, each in a fresh process, and their speed is that of the search until they are timed
    together. Only where an objective or a bound is one of `SERVED`, or what the search measured is lost, each is timed
    alone and serves once more: the best of many candidates tends to look better than it is.
    """
    trials = search.study.get_trials(deepcopy=False)
    names = {*(objective.name for objective in search.objectives), *(bound.quantity for bound in search.constraints)}

    def task(number: int, measured: str | None) -> StageTask:
        configuration = everyone[number].configuration or Configuration({})
        served_with = (everyone[number].measurement or {}).get("served_with")
        return search.chains.final(configuration, len(trials), occasion, served_with, measured)

    keys = {n: None if names & SERVED else trials[n].user_attrs.get(STAGES, {}).get("measuring") for n in everyone}
    outcomes = _run_stages(search, {number: task(number, key) for number, key in keys.items()})
    for number, outcome in outcomes.items():
        if outcome.failure and keys[number]:
            outcomes[number] = _run_stage(search, task(number, None), number)
    return outcomes


def _time_together(
    search: SearchContext, finals: dict[int, dict[str, Any]], alone: TrialRecord | None, occasion: int
) -> dict[str, Any]:
    """Time the baseline and the front in turn with each other, and put the figures into ``finals``.

    Args:
        search: As in `_final_figures`.
        finals: The figures of each, by trial number; they are changed.
        alone: The fastest trial that changes the runtime alone: timed with the others, and no more than that.
        occasion: As in `_final_figures`.

    Returns:
        The ``trial`` and the ``figures`` of ``alone``; empty where it is on the front, or could not be timed.
    """
    trials = {trial.number: trial for trial in records(search.study)}
    judged = {n: trials[n].configuration or Configuration({}) for n in finals}
    more = {} if alone is None or alone.number in finals else {alone.number: alone.configuration or Configuration({})}
    compared = _run_stage(search, search.chains.comparing({**judged, **more}, len(trials), occasion), 0)
    if compared.failure and more:  # its artifact may be gone from the stage store
        compared = _run_stage(search, search.chains.comparing(judged, len(trials), occasion), 0)
    if compared.failure:
        search.observer.note(f"the front could not be timed side by side: {compared.failure}")
        _mark_unstable(finals.values(), f"not timed beside the rest of the front: {compared.failure}")
    timings = {int(n): figures_of(timing) for n, timing in compared.result.get("timings", {}).items()}
    for number in finals.keys() & timings.keys():
        finals[number].update(timings[number])
    for number in more.keys() & timings.keys():
        return {"trial": number, "figures": timings[number]}
    return {}


def _is_up_to_date(study: optuna.Study, members: Sequence[TrialRecord]) -> bool:
    """Whether the final figures are those of the front as it is, and none of ``members`` is unstable."""
    finals = study.user_attrs.get(FINAL, {})
    stable = all(str(trial.number) in finals and not finals[str(trial.number)]["unstable"] for trial in members)
    return stable and "0" in finals and study.user_attrs.get(FINAL_TRIALS) == len(records(study))


def _why_it_left(search: SearchContext, trial: TrialRecord, final: Mapping[str, Any]) -> str:
    """What a former member of the front lacks finally, or its speedup in the search and finally."""
    needed = [*(objective.name for objective in search.objectives), *(bound.quantity for bound in search.constraints)]
    unknown = [why_unknown(name) for name in needed if final.get(name) is None]
    searched = (trial.measurement or {})["speedup"]
    return "; ".join(unknown) or f"{times(searched)}x in the search, {times(final['speedup'])}x finally"


def _mark_unstable(finals: Iterable[dict[str, Any]], reason: str) -> None:
    """Add ``reason`` to why each of ``finals`` should not be trusted."""
    for figures in finals:
        figures["unstable"] = joined((reason, figures.get("unstable") or ""))


def _run_stage(search: SearchContext, task: StageTask, number: int) -> StageOutcome:
    return _run_stages(search, {number: task})[number]


def _run_stages(search: SearchContext, tasks: Mapping[int, StageTask]) -> dict[int, StageOutcome]:
    """The outcomes of ``tasks``, by trial number and in their order; the runner has nothing else to do."""
    numbers, ended = {task.key: number for number, task in tasks.items()}, dict[int, StageOutcome]()
    times: list[StageTime | None] = []
    for number, task in tasks.items():
        search.observer.stage_started(number, "final")
        search.attempts.submit(task)
    while len(ended) < len(tasks):
        for task, outcome in search.attempts.wait(WAIT_S):
            number = numbers[task.key]
            times.append(stage_time("final", outcome))
            search.observer.stage_ended(number, "final", outcome.seconds, outcome.from_store)
            ended[number] = outcome
    add_study_times(search.study, times)
    return {number: ended[number] for number in tasks}
