"""A study in Optuna's storage: made or loaded, and read as records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from runners.metric import FRACTION, QualityMetric
from runners.quality.answers import Answers
from runners.runner import WorkloadFacts
from search.objectives.objective import Objective
from search.study.attributes import (
    ANSWERS,
    BEGUN,
    BUDGETS,
    CONFIGURATION,
    ENVIRONMENT,
    FACTS,
    FAILURE,
    FINAL,
    FINAL_ANSWERS,
    MEASUREMENT,
    PLACES,
    SETTINGS,
    STOPPED,
    TIMING_RESOLUTION,
)
from spaces.configuration import Configuration
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "stopped",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}


@dataclass(frozen=True)
class TrialRecord:
    """A trial of a study.

    Attributes:
        number: Its number in the study.
        state: ``complete``, ``failed``, ``stopped`` or ``running``.
        configuration: Its choices, or None where the driver died before they were recorded.
        measurement: The fields of its `runners.measuring.measurement.Measurement`, or None.
        failure: Why it failed or was stopped, or None.
        answers: What it answered on the validation split, or None where that was not kept.
        accuracies: The accuracy of its network on the validation split by the epochs trained.
        losses: The mean training loss of each epoch by the epochs trained with it.
    """

    number: int
    state: str
    configuration: Configuration | None
    measurement: Mapping[str, Any] | None = None
    failure: str | None = None
    answers: Answers | None = None
    accuracies: Mapping[int, float] = field(default_factory=dict)
    losses: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudySettings:
    """What has to be the same for a study to be continued; kept with it, so that its name is enough to continue it.

    Attributes:
        workload: The name of the workload, or what defines it.
        space: The values of each technique, by its name.
        objectives: Names of measured quantities.
        constraints: Bounds as text, such as ``latency_p90_ms<=5``.
        seed: The seed of everything random.
        device: The name of the machine that measures.
        fingerprint: A hash of the workload's data and code.
        serve: For which use all is timed: ``batch``, ``threads``; None is any number of threads and one input.
    """

    workload: Any
    space: Mapping[str, Any]
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    seed: int
    device: str
    fingerprint: str
    serve: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """The settings in JSON's own types."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document


def find_study(storage: BaseStorage, name: str) -> optuna.Study:
    """The study called ``name``, which `make_study` made.

    Raises:
        RequestError: There is none, it was not made to its end, or something else made it.
    """
    names = optuna.get_all_study_names(storage)
    if name not in names:
        known = f"there are {', '.join(sorted(names))}" if names else "there are none in this home yet"
        raise RequestError(f"no study is called {name!r}; {known}{did_you_mean(name, names)}")
    study = optuna.load_study(study_name=name, storage=storage)
    if SETTINGS not in study.user_attrs:
        if not study.get_trials(deepcopy=False):
            raise RequestError(
                f"study {name!r} holds no trial and no settings, as after a search that was stopped while it began; "
                "give the same `frontrunner search` command again"
            )
        raise RequestError(f"study {name!r} was not made by frontrunner; name another")
    return study


def make_study(
    storage: BaseStorage,
    name: str,
    objectives: tuple[Objective, ...],
    settings: StudySettings,
    environment: Environment,
    facts: WorkloadFacts,
    budgets: Mapping[str, Any] | None = None,
    places: Mapping[str, Any] | None = None,
) -> optuna.Study:
    """The study called ``name``: the existing one where its settings are the same, or a new one.

    The settings are written last. A study without them that has no trial is one that was not made to its end, and is
    completed.

    Args:
        storage: The storage that keeps it.
        name: Its name in the storage.
        objectives: What is optimised; they give the directions of a new study.
        settings: What has to be the same where the study exists.
        environment: The machine that measures; kept with a new study.
        facts: What is known of the workload; kept with a new study.
        budgets: How long it runs; written for an existing study too.
        places: What it remembers of its locations; written for an existing study too.

    Raises:
        RequestError: The study exists with other settings, which the message names.
    """
    directions = [objective.direction for objective in objectives]
    exists = name in optuna.get_all_study_names(storage)
    if exists:
        study = optuna.load_study(study_name=name, storage=storage)
    else:
        study = optuna.create_study(study_name=name, storage=storage, directions=directions)
    is_complete = exists and not _is_unfinished(study, [direction.lower() for direction in directions])
    if is_complete:
        refuse_other_settings(study, settings)
    study.set_user_attr(BUDGETS, budgets or {})
    study.set_user_attr(PLACES, places or {})
    if not is_complete:
        study.set_user_attr(BEGUN, datetime.now().isoformat(timespec="seconds"))
        study.set_user_attr(ENVIRONMENT, environment.to_json())
        study.set_user_attr(FACTS, asdict(facts))
        study.set_user_attr(SETTINGS, settings.to_json())
    return study


def _is_unfinished(study: optuna.Study, directions: Sequence[str]) -> bool:
    """Whether ``study`` has these directions and neither settings nor trials nor attributes of anybody else."""
    attributes = study.user_attrs
    return (
        SETTINGS not in attributes
        and attributes.keys() <= {BUDGETS, PLACES, BEGUN, ENVIRONMENT, FACTS}
        and [direction.name.lower() for direction in study.directions] == directions
        and not study.get_trials(deepcopy=False)
    )


def refuse_other_settings(study: optuna.Study, settings: StudySettings) -> None:
    """Raise `RequestError` where ``study`` was made with settings other than ``settings``, or not by frontrunner."""
    old, new = study.user_attrs.get(SETTINGS), settings.to_json()
    if old is None:
        raise RequestError(f"study {study.study_name!r} was not made by frontrunner; give another name with --study")
    different = [_difference(name, old.get(name), new[name]) for name in new if old.get(name) != new[name]]
    if different:
        raise RequestError(
            f"study {study.study_name!r} exists with other settings: {'; '.join(different)[:600]}; "
            "give another name with --study, or the same settings"
        )


def _difference(name: str, old: Any, new: Any) -> str:
    return "the workload's data or code" if name == "fingerprint" else f"{name} (was {old!r}, now {new!r})"


def records(study: optuna.Study) -> list[TrialRecord]:
    """The records of all trials of ``study``, in the order of their numbers."""
    return [record(trial) for trial in study.get_trials(deepcopy=False)]


def record(trial: FrozenTrial) -> TrialRecord:
    """The record of one trial."""
    text = trial.user_attrs.get(CONFIGURATION)
    return TrialRecord(
        number=trial.number,
        state=state_of(trial),
        configuration=Configuration.from_json(text) if text else None,
        measurement=trial.user_attrs.get(MEASUREMENT),
        failure=trial.user_attrs.get(FAILURE) or trial.user_attrs.get(STOPPED),
        answers=answers_of(trial),
    )


def answers_of(trial: FrozenTrial) -> Answers | None:
    """What a trial answered on the validation split when it was measured; None where that was not kept."""
    document = trial.user_attrs.get(ANSWERS)
    return Answers.from_json(document) if document else None


def final_answers_of(attributes: Mapping[str, Any], split: str = "validation") -> dict[int, Answers]:
    """What trials answered on ``split`` in the final measurement, of those where it was kept, by number.

    Args:
        attributes: The user attributes of the study.
        split: ``validation`` or ``test``.
    """
    documents = {
        number: attributes.get(f"{FINAL_ANSWERS}:{number}", {}).get(split) for number in attributes.get(FINAL, {})
    }
    return {int(number): Answers.from_json(document) for number, document in documents.items() if document}


def state_of(trial: FrozenTrial) -> str:
    """``complete``, ``failed``, ``stopped`` or ``running``; a baseline that is to be run again has ``failed``."""
    return "failed" if trial.user_attrs.get(FAILURE) else _STATES[trial.state]


def timing_resolution(study: optuna.Study) -> float:
    """The smallest relative difference in speed that can be measured in ``study``; 0 where it is not known."""
    return resolution_of(study.user_attrs)


def resolution_of(attributes: Mapping[str, Any]) -> float:
    """The `timing_resolution` of the study whose user attributes are ``attributes``."""
    return float(attributes.get(TIMING_RESOLUTION, {}).get("resolution", 0.0))


def metric_of(attributes: Mapping[str, Any]) -> QualityMetric:
    """What an accuracy is in the study whose user attributes are ``attributes``."""
    facts = attributes[FACTS]
    return QualityMetric(facts["metric"], facts.get("higher_is_better", True), facts.get("metric_unit", FRACTION))


def stored_facts(study: optuna.Study) -> WorkloadFacts:
    """What was known of the workload when ``study`` was made."""
    document = dict(study.user_attrs[FACTS])
    tuples = {name: tuple(document.get(name, ())) for name in ("input_shape", "notes")}
    return WorkloadFacts(**{**document, **tuples})
