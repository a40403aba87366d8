"""Trials that ended in a search that died before it reported them to MLflow."""

from dataclasses import replace
from datetime import datetime

from optuna.trial import FrozenTrial

from dashboards.tracking.tracker import Tracker
from search.driver.observer import trial_result
from search.driver.search_context import SearchContext
from search.front.live_front import LiveFront
from search.study.attributes import EPOCH_LOSSES, RUNGS
from search.study.study import record, timing_resolution


def report_unreported_trials(search: SearchContext, tracker: Tracker) -> None:
    """Report the finished trials that the spool of ``tracker`` has never had, in the order in which they ended."""
    reported = tracker.reported_trials()
    ended = [trial for trial in search.study.get_trials(deepcopy=False) if trial.state.is_finished()]
    if all(trial.number in reported for trial in ended):
        return
    front = LiveFront(search.objectives, search.constraints, timing_resolution(search.study))
    for trial in sorted(ended, key=lambda one: one.datetime_complete or datetime.max):
        known = replace(record(trial), accuracies=_by_epochs(trial, RUNGS), losses=_by_epochs(trial, EPOCH_LOSSES))
        if known.state == "complete":
            front.add(known)
        if trial.number not in reported:
            size, volume = len(front.members), front.hypervolume
            tracker.trial_finished(trial_result(known, size, volume, _seconds(trial), search.metric))


def _by_epochs(trial: FrozenTrial, attribute: str) -> dict[int, float]:
    """The values of an attribute by the number of epochs, which JSON keeps as text."""
    return {int(epochs): value for epochs, value in trial.user_attrs.get(attribute, {}).items()}


def _seconds(trial: FrozenTrial) -> float:
    """From its beginning to its end; never negative, though clocks step."""
    begun, ended = trial.datetime_start, trial.datetime_complete
    return max(0.0, (ended - begun).total_seconds()) if begun and ended else 0.0
