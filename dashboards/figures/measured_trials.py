"""The measured trials of a study, and the choices in which they differ: what several figures draw."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.figures.axes import Axis

Document = Mapping[str, Any]
Trial = Mapping[str, Any]


def measured_trials(document: Document) -> list[Trial]:
    """Every complete trial by number, each with its final measurement where it has one.

    Args:
        document: A front document with ``all`` its trials.
    """
    final = [*document["front"], *filter(None, [document.get("baseline")])]
    known = {t["trial"]: t for t in document.get("all", ()) if t.get("measurement")}
    known |= {member["trial"]: member for member in final}
    return [known[number] for number in sorted(known)]


def front_trials(document: Document) -> set[int]:
    """The numbers of the members of the front, without the baseline."""
    return {member["trial"] for member in document["front"]} - {baseline_trial(document)}


def baseline_trial(document: Document) -> int:
    """The number of the baseline, also where it is not measured yet."""
    return document["baseline"]["trial"] if document.get("baseline") else 0


def kind_of(trial: Trial, document: Document) -> str:
    """``baseline``, ``front`` or ``trial``."""
    if trial["trial"] == baseline_trial(document):
        return "baseline"
    return "front" if trial["trial"] in front_trials(document) else "trial"


def varied_choices(trials: Sequence[Trial], first: Sequence[str] = ()) -> dict[str, list[Any]]:
    """The choices that have several values among ``trials``, each with its values in order.

    Numbers are in rising order; other values, and mixtures, in that of their text. A choice that a trial lacks is not
    counted there.

    Args:
        trials: Measured trials.
        first: The choices that come first, in this order.
    """
    found: dict[str, set[Any]] = {name: set() for name in first}
    for trial in trials:
        for name, value in trial["configuration"].items():
            found.setdefault(name, set()).add(value)
    return {name: in_order(values) for name, values in found.items() if len(values) > 1}


def in_order(values: set[Any]) -> list[Any]:
    """Numbers in rising order; other values, and mixtures, in that of their text."""
    if all(isinstance(value, (int, float)) for value in values):
        return sorted(values)
    return sorted(values, key=str)


def value_text(value: Any) -> str:
    """A value of a choice as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def figure_of(trial: Trial, axis: Axis) -> float | None:
    """What was measured of a trial along ``axis``; None where it was not."""
    value = trial["measurement"].get(axis.name)
    return None if value is None else float(value)


def choices_by_importance(document: Document) -> list[str]:
    """The choices that mattered, those that explain most of the speed or the accuracy first; empty where unknown."""
    shares: dict[str, float] = {}
    for found in document.get("importance", {}).values():
        for name, one in found["choices"].items():
            shares[name] = max(shares.get(name, 0.0), one["share"])
    return sorted(shares, key=lambda name: -shares[name])
