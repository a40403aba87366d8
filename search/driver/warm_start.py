"""Warm start: what a new study can use of an earlier one of the same workload, on this machine or another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna

from search.driver.baseline import is_tuned, known_threads
from search.front.front_document import front_document
from search.study.attributes import SETTINGS
from search.study.study import find_study, records
from spaces.configuration import Configuration
from spaces.errors import RequestError
from spaces.search_space import SearchSpace


@dataclass(frozen=True)
class EarlierStudy:
    """What is known from an earlier study.

    Attributes:
        front: The configurations of its front, fastest first: what a new study tries first.
        figures: The measurements of its candidates; from another machine, or where the baseline had another number of
            threads, only what holds anywhere.
    """

    front: tuple[Configuration, ...] = ()
    figures: Mapping[Configuration, Mapping[str, Any]] = field(default_factory=dict)


def load_earlier_study(
    storage: optuna.storages.BaseStorage, name: str, space: SearchSpace, device: str, fingerprint: str
) -> EarlierStudy:
    """What the study called ``name`` knows of the candidates in ``space``.

    Accuracies and trained stages stay true on another machine and beside another baseline; speeds do not, and are
    measured again there.

    Raises:
        RequestError: There is no such study, or its workload has other data or other code.
    """
    study = find_study(storage, name)
    settings = study.user_attrs.get(SETTINGS, {})
    if settings.get("fingerprint") != fingerprint:
        raise RequestError(
            f"--from {name}: its workload has other data or other code than this one, so nothing of it is true here; "
            "leave --from out"
        )
    machine = space.environment
    batch = (settings.get("serve") or {}).get("batch")
    machine_calls = machine.baseline_threads, machine.baseline_tuned, machine.call_batch
    called_alike = (known_threads(study), is_tuned(study), batch) == machine_calls
    same_baseline = settings["device"] == device and called_alike
    figures = {
        trial.configuration: dict(trial.measurement) if same_baseline else _same_on_any_machine(trial.measurement)
        for trial in records(study)
        if trial.configuration is not None and trial.measurement and space.contains(trial.configuration)
    }
    front = (Configuration(member["configuration"]) for member in front_document(study)["front"])
    first = tuple(configuration for configuration in front if configuration in figures)
    return EarlierStudy(first, figures)


def _same_on_any_machine(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that do not depend on the machine."""
    kept = {name: value for name, value in measurement.items() if name.startswith("accuracy")}
    same = ("macs", "parameters", "size_mib", "stored_mib")
    return {**kept, **{name: measurement[name] for name in same if name in measurement}}
