"""What costs nothing: the fastest trial that changes neither the network nor its number format."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from search.study.study import TrialRecord
from spaces.configuration import Configuration, Scalar
from spaces.space_document import all_techniques
from spaces.technique import Stage

FREE_STAGES = (Stage.LOWER, Stage.OPTIONS, Stage.SERVE)
"""The stages of techniques that need no training and keep the weights as they are: runtime, its settings, replicas and
threads."""


def runtime_alone(trials: Sequence[TrialRecord], baseline: Mapping[str, Any]) -> TrialRecord | None:
    """The fastest of ``trials`` that differs from the ``baseline`` in its runtime, its threads or its replicas alone.

    A trial whose timing is unstable is given only where there is no other. Of those whose intervals overlap with the
    fastest one's, it is the one with the fewest threads. The baseline itself is not among them; None where no other is
    measured.

    Args:
        trials: All complete trials.
        baseline: The choices of the baseline.
    """
    free = [t for t in trials if t.number and t.measurement and changes_runtime_alone(t.configuration, baseline)]
    stable = [trial for trial in free if not _figures(trial)["unstable"]] or free
    if not stable:
        return None
    lowest = max(map(_figures, stable), key=lambda figures: figures["speedup"])["speedup_ci95"][0]
    tied = [trial for trial in stable if _figures(trial)["speedup_ci95"][1] >= lowest]
    return min(tied, key=lambda trial: (_threads(trial), -_figures(trial)["speedup"]))


def changes_runtime_alone(configuration: Configuration | None, baseline: Mapping[str, Any]) -> bool:
    """Whether ``configuration`` differs from the ``baseline`` only in what needs no training and keeps the weights."""
    if configuration is None:
        return False
    bound = _bound_choices()
    return all(configuration[n] == baseline.get(n, bound[n]) for n in bound.keys() & configuration.keys())


@cache  # finding the techniques takes a walk through their folder
def _bound_choices() -> dict[str, Scalar]:
    """The parameters that change the network or its number format, each with the value that changes nothing."""
    return {p.name: p.neutral for t in all_techniques() for p in t.parameters if t.stage not in FREE_STAGES}


def _threads(trial: TrialRecord) -> Scalar:
    return trial.configuration.get("threads", 1) if trial.configuration else 1


def _figures(trial: TrialRecord) -> Mapping[str, Any]:
    return trial.measurement or {}
