"""How a study went: when its trials and stages ran, who competed at the rungs, and which stages were shared."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from search.study.attributes import COMPETED, RUNGS, SCREENED, SECONDS, STAGES, STUDY_TIMES, TIMES
from search.study.study import state_of
from spaces.configuration import Configuration

Document = dict[str, Any]
Time = Sequence[Any]
"""Name of a stage, when it began, and how many seconds it took."""
_KEY_DIGITS = 12


def history(study: optuna.Study) -> Document:
    """What is known of the course of ``study``, as plain JSON types; all times are seconds since its first stage.

    ``trials`` has each trial with its ``state``, when it ``began`` and ``ended`` (None while it runs), the ``times`` of
    the stages that were carried out for it, the ``seconds`` of each stage by name, the ``accuracies`` on the validation
    split by epochs trained, the ``levels`` at which trainings may stop, and of a complete trial the keys of its
    ``stages``, of which two trials with the same key shared one. ``screened`` has the candidates that were timed
    untrained, with their ``configuration``, ``speedup`` and ``times``; ``shared_times`` those of stages that belong to
    no single trial. What older versions did not keep is empty.
    """
    trials, screened = study.get_trials(deepcopy=False), list(_screened(study))
    shared = study.user_attrs.get(STUDY_TIMES, [])
    starts = [_seconds(trial.datetime_start) for trial in trials if trial.datetime_start]
    stages = [began for _, began, _ in (*shared, *(t for s in screened for t in s.get("times", ())))]
    first = min([*starts, *stages], default=0.0)
    return {
        "trials": [_trial(trial, first) for trial in trials],
        "screened": [
            {
                "configuration": dict(Configuration.from_json(one["configuration"])),
                "speedup": one["figures"].get("speedup"),
                "times": _since(first, one.get("times", ())),
            }
            for one in screened
        ],
        "shared_times": _since(first, shared),
    }


def _trial(trial: FrozenTrial, first: float) -> Document:
    attributes = trial.user_attrs
    return {
        "trial": trial.number,
        "state": state_of(trial),
        "began": _from_first(trial.datetime_start, first),
        "ended": _from_first(trial.datetime_complete, first),
        "times": _since(first, attributes.get(TIMES, ())),
        "seconds": attributes.get(SECONDS, {}),
        "accuracies": {int(epochs): accuracy for epochs, accuracy in attributes.get(RUNGS, {}).items()},
        "levels": list(attributes.get(COMPETED, {}).get("levels", ())),
        "stages": {name: key[:_KEY_DIGITS] for name, key in attributes.get(STAGES, {}).items()},
    }


def _screened(study: optuna.Study) -> Iterator[Document]:
    for name, documents in study.user_attrs.items():
        if name.startswith(f"{SCREENED}:"):
            yield from documents


def _since(first: float, times: Sequence[Time]) -> list[list[Any]]:
    return [[stage, round(max(0.0, began - first), 3), seconds] for stage, began, seconds in times]


def _from_first(at: datetime | None, first: float) -> float | None:
    return None if at is None else round(max(0.0, _seconds(at) - first), 3)


def _seconds(at: datetime | None) -> float:
    """Seconds since 1970; Optuna writes local times without a zone."""
    return at.timestamp() if at else 0.0
