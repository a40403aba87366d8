"""The last word on the front: measured once more in fresh processes, and judged on the test split."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna

from dashboards.front_document import times
from runners.measuring.measurement import figures_of
from runners.measuring.paired_timing import joined
from runners.runner import StageOutcome, StageTask
from search.driver.machine_baseline import MachineBaselines
from search.driver.search_context import SearchContext
from search.driver.trial_recorder import why_unknown
from search.front.front import compute_front
from search.study.study import TrialRecord, records, timing_resolution


def measure_front(search: SearchContext) -> None:
    """Measure the front of a study finally and keep the figures with it; nothing to do where that is done.

    A front that is measured already is measured anew only where a trial was added or a figure was unstable.
    """
    study, observer = search.study, search.observer
    complete = [trial for trial in records(study) if trial.state == "complete"]
    resolution = timing_resolution(study)
    members, _ = compute_front(complete, search.objectives, search.constraints, resolution=resolution)
    if not members or _is_settled(study, members):
        return
    observer.note("measuring the baseline and the front once more, with the test split")
    occasion = study.user_attrs.get("final_occasion", 0)
    study.set_user_attr("final", {})
    finals = measure_finally(search, members, occasion)
    study.set_user_attr("final_occasion", occasion + 1)
    study.set_user_attr("final_trials", len(records(study)))
    study.set_user_attr("final", {str(number): figures for number, figures in finals.items()})
    stayed = {
        trial.number for trial in compute_front(complete, search.objectives, search.constraints, finals, resolution)[0]
    }
    for trial in members:
        if trial.number not in stayed and trial.number in finals:
            observer.note(f"trial {trial.number} left the front: {_why_it_left(search, trial, finals[trial.number])}")


def measure_finally(
    search: SearchContext, members: Sequence[TrialRecord], occasion: int = 0
) -> dict[int, dict[str, Any]]:
    """Measure the baseline and ``members`` of the front once more; the test split is used here alone.

    Each is judged in a fresh process; then all of them are timed in turn with each other and the baseline.

    Args:
        search: The study and what it needs; the runner carries out the measurements one after the other.
        members: The front as the search found it.
        occasion: How often the front of this study was measured before: each time is a measurement of its own.

    Returns:
        Figures by trial number, the baseline's first, for those whose measurement succeeded; none at all where the
        baseline's failed, since there is nothing to compare them with.
    """
    observer, trials = search.observer, records(search.study)
    everyone = {t.number: t.configuration for t in [*trials[:1], *members] if t.configuration is not None}
    finals: dict[int, dict[str, Any]] = {}
    for number, configuration in everyone.items():
        outcome = _carry_out(search, search.chains.final(configuration, len(trials), occasion), number)
        if not outcome.failure:
            finals[number] = figures_of(outcome.result)
        elif number == 0:
            observer.note(
                f"the front keeps its figures of the search: the final measurement of the baseline failed "
                f"({outcome.failure}); `frontrunner resume {search.study.study_name}` measures again"
            )
            return {}
        else:
            observer.note(f"trial {number} leaves the front: its final measurement failed ({outcome.failure})")
    for figures in finals.values():
        figures["accuracy_drop"] = finals[0]["accuracy"] - figures["accuracy"]
    judged = {number: everyone[number] for number in finals}
    compared = _carry_out(search, search.chains.comparing(judged, len(trials), occasion), 0)
    if compared.failure:
        observer.note(f"the front was timed one by one, not side by side: {compared.failure}")
        _doubt(finals.values(), f"timed alone, not beside the rest of the front: {compared.failure}")
    for number, timing in compared.result.get("timings", {}).items():
        finals[int(number)].update(figures_of(timing))
    return finals


def _is_settled(study: optuna.Study, members: Sequence[TrialRecord]) -> bool:
    finals = study.user_attrs.get("final", {})
    steady = all(str(trial.number) in finals and not finals[str(trial.number)]["unstable"] for trial in members)
    return steady and "0" in finals and study.user_attrs.get("final_trials") == len(records(study))


def _why_it_left(search: SearchContext, trial: TrialRecord, final: Mapping[str, Any]) -> str:
    needed = [*(objective.name for objective in search.objectives), *(bound.quantity for bound in search.constraints)]
    unknown = [why_unknown(name) for name in needed if final.get(name) is None]
    searched = (trial.measurement or {})["speedup"]
    return "; ".join(unknown) or f"{times(searched)}x in the search, {times(final['speedup'])}x finally"


def _doubt(finals: Iterable[dict[str, Any]], reason: str) -> None:
    """Mark all of ``finals`` as not to be trusted, beside what was said against one before."""
    for figures in finals:
        figures["unstable"] = joined((reason, figures.get("unstable") or ""))


def _carry_out(search: SearchContext, task: StageTask, number: int) -> StageOutcome:
    search.observer.stage_started(number, "final")
    outcome = MachineBaselines(search.study).carry_out_alone(search.runner, task)
    search.observer.stage_ended(number, "final", outcome.seconds, outcome.from_store)
    return outcome
