"""A study in Optuna's storage: made or found again, with what is ours in its attributes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from runners.runner import WorkloadFacts
from search.objectives.objective import Objective
from search.study.storage import open_storage
from spaces.configuration import Configuration
from spaces.environment import Environment
from spaces.errors import RequestError

__all__ = [
    "TIMING_RESOLUTION",
    "StudySettings",
    "TrialRecord",
    "find_study",
    "make_study",
    "open_storage",
    "record",
    "records",
    "refuse_other_settings",
    "resolution_of",
    "stored_facts",
    "timing_resolution",
]

TIMING_RESOLUTION = "timing_resolution"
"""The attribute of a study with the ``resolution``, and ``unstable``: why it should not be trusted, or empty."""

_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "stopped",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}


@dataclass(frozen=True)
class TrialRecord:
    """A trial as Optuna keeps it, in our words.

    Attributes:
        number: Its number in the study.
        state: ``complete``, ``failed``, ``stopped`` or ``running``.
        configuration: Its choices, or None where the driver died before they were drawn.
        measurement: Figures as JSON, or None.
        failure: Why it failed or was stopped, or None.
    """

    number: int
    state: str
    configuration: Configuration | None
    measurement: Mapping[str, Any] | None = None
    failure: str | None = None


@dataclass(frozen=True)
class StudySettings:
    """What makes a study the study it is; kept with it, so that its name is enough to go on.

    Attributes:
        workload: The workload's reference.
        space: ``{parameter: [values]}``.
        objectives: Names of measured quantities.
        constraints: Bounds as text.
        seed: Of everything random.
        device: The machine that measures.
        fingerprint: Of the workload's data and code.
    """

    workload: Any
    space: Mapping[str, Any]
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    seed: int
    device: str
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document


def find_study(storage: optuna.storages.BaseStorage, name: str) -> optuna.Study:
    """The study called ``name``.

    Raises:
        RequestError: There is none.
    """
    names = optuna.get_all_study_names(storage)
    if name not in names:
        known = f"there are {', '.join(sorted(names))}" if names else "there are none in this home yet"
        raise RequestError(f"no study is called {name!r}; {known}")
    return optuna.load_study(study_name=name, storage=storage)


def make_study(
    storage: optuna.storages.BaseStorage,
    name: str,
    objectives: tuple[Objective, ...],
    settings: StudySettings,
    environment: Environment,
    facts: WorkloadFacts,
) -> optuna.Study:
    """The study called ``name``: a new one, or the existing one when its settings are the same.

    Raises:
        RequestError: It exists with other settings; the message says which.
    """
    if name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        refuse_other_settings(study, settings)
        return study
    study = optuna.create_study(
        study_name=name, storage=storage, directions=[objective.direction for objective in objectives]
    )
    study.set_user_attr("environment", environment.to_json())
    study.set_user_attr("facts", asdict(facts))
    study.set_user_attr("settings", settings.to_json())
    return study


def refuse_other_settings(study: optuna.Study, settings: StudySettings) -> None:
    """Raise `RequestError` where ``study`` was made with other settings than these."""
    old, new = study.user_attrs.get("settings"), settings.to_json()
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
    """All trials of ``study`` in the order of their numbers."""
    return [record(trial) for trial in study.get_trials(deepcopy=False)]


def record(trial: FrozenTrial) -> TrialRecord:
    """One trial in our words."""
    text = trial.user_attrs.get("configuration")
    return TrialRecord(
        number=trial.number,
        state=_STATES[trial.state],
        configuration=Configuration.from_json(text) if text else None,
        measurement=trial.user_attrs.get("measurement"),
        failure=trial.user_attrs.get("failure") or trial.user_attrs.get("stopped"),
    )


def timing_resolution(study: optuna.Study) -> float:
    """The smallest relative difference in speed that the machine of ``study`` lets be believed; 0 where unknown."""
    return resolution_of(study.user_attrs)


def resolution_of(attributes: Mapping[str, Any]) -> float:
    """`timing_resolution` of the study that has these attributes."""
    return float(attributes.get(TIMING_RESOLUTION, {}).get("resolution", 0.0))


def stored_facts(study: optuna.Study) -> WorkloadFacts:
    """What was found out about the workload when the study was made."""
    document = dict(study.user_attrs["facts"])
    return WorkloadFacts(**{**document, "input_shape": tuple(document["input_shape"])})
