"""Two fronts against each other: who dominates whom, where either is better, and their hypervolumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.objectives.dominance import certainly_better, dominates
from search.objectives.loss_table import LossTable, loss_table
from search.objectives.objective import Objective
from search.objectives.pareto_front import hypervolume

Document = dict[str, Any]


@dataclass(frozen=True)
class Front:
    """A front that is compared.

    Attributes:
        name: What it is called.
        members: What each member is called, in the order of ``measurements``.
        measurements: Their figures, with ``NAME_ci95`` where an interval is known.
        baseline: The figures of the baseline to which its speedups relate; None where that is not known.
        resolution: The smallest relative difference in speed that is significant.
    """

    name: str
    members: Sequence[str]
    measurements: Sequence[Mapping[str, Any]]
    baseline: Mapping[str, Any] | None = None
    resolution: float = 0.0


def compare(first: Front, second: Front, objectives: Sequence[Objective]) -> Document:
    """The comparison of two fronts as plain JSON types.

    A member beats another where it is at least as good in every objective by the estimates, and certainly better in
    one: where their 95 % intervals are apart, and further than the coarser resolution of the two studies.

    ``fronts`` has each front with its ``hypervolume`` relative to one reference point, that of the first baseline that
    is known, and its ``members`` with what ``beaten_by`` of the other front and what it is ``tied`` with there.
    ``where`` has, for each quality that a member of either front reaches, the ``fastest`` member of each front that is
    at least as good, and which is ``faster``: a front's name, or None where their intervals say neither. It is empty
    where speed and accuracy are not among the objectives.
    """
    measured = [*first.measurements, *second.measurements]
    resolution = max(first.resolution, second.resolution)
    table = loss_table(
        objectives, measured, first.baseline or second.baseline or _reference(measured, objectives), resolution
    )
    rows = np.arange(len(first.members)), np.arange(len(first.members), len(measured))
    fronts = [
        _one(front, own, other, other_front, table)
        for front, own, other, other_front in ((first, *rows, second), (second, *rows[::-1], first))
    ]
    names = [objective.name for objective in objectives]
    where = _where((first, second), objectives, resolution) if {"accuracy", "speedup"} <= set(names) else []
    return {"objectives": [objective.to_json() for objective in objectives], "fronts": fronts, "where": where}


def _one(front: Front, own: Any, other: Any, other_front: Front, table: LossTable) -> Document:
    members = []
    for name, row, figures in zip(front.members, own, front.measurements, strict=True):
        beaten: list[bool] = dominates(table, other, int(row)).tolist()
        better = certainly_better(table, int(row), other) | certainly_better(table, other, int(row))
        apart: list[bool] = better.any(axis=-1).ravel().tolist()
        others = other_front.members
        members.append(
            {
                "member": name,
                "measurement": dict(figures),
                "beaten_by": [one for one, yes in zip(others, beaten, strict=True) if yes],
                "tied": [one for one, yes in zip(others, apart, strict=True) if not yes],
            }
        )
    return {"name": front.name, "hypervolume": hypervolume(table.points[own]), "members": members}


def _where(fronts: tuple[Front, Front], objectives: Sequence[Objective], resolution: float) -> list[Document]:
    metric = next(objective for objective in objectives if objective.name == "accuracy").metric
    levels = {float(one["accuracy"]) for front in fronts for one in front.measurements}
    found = []
    for level in sorted(levels, key=lambda value: -metric.sign * value):
        places = [_fastest(front, level, metric.sign) for front in fronts]
        pairs = list(zip(fronts, places, strict=True))
        speeds = [None if place is None else front.measurements[place] for front, place in pairs]
        found.append(
            {
                "accuracy": level,
                "fastest": [None if place is None else front.members[place] for front, place in pairs],
                "speedup": [one and one["speedup"] for one in speeds],
                "faster": _faster(fronts, speeds, resolution),
            }
        )
    return _without_repetitions(found)


def _reference(measured: Sequence[Mapping[str, Any]], objectives: Sequence[Objective]) -> Document:
    """What stands for a baseline where none is known: a speedup of 1, and the worst of each other quantity."""
    worst = {o.name: (min if o.direction == "maximize" else max)(m[o.name] for m in measured) for o in objectives}
    return {**worst, **({"speedup": 1.0} if "speedup" in worst else {})}


def _fastest(front: Front, level: float, sign: int) -> int | None:
    good = [index for index, one in enumerate(front.measurements) if sign * one["accuracy"] >= sign * level]
    return max(good, key=lambda index: float(front.measurements[index]["speedup"]), default=None)


def _faster(fronts: tuple[Front, Front], speeds: Sequence[Mapping[str, Any] | None], resolution: float) -> str | None:
    """The name of the front whose member is certainly faster, or that alone has one."""
    first, second = speeds
    if first is None or second is None:
        return fronts[0].name if first is not None else fronts[1].name if second is not None else None
    (low, high), (other_low, other_high) = (one.get("speedup_ci95") or (one["speedup"],) * 2 for one in (first, second))
    if low > other_high * (1 + resolution):
        return fronts[0].name
    return fronts[1].name if other_low > high * (1 + resolution) else None


def _without_repetitions(found: Sequence[Document]) -> list[Document]:
    """Of levels at which the same members are the fastest, the most accurate one alone."""
    kept: list[Document] = []
    for entry in found:
        if not kept or kept[-1]["fastest"] != entry["fastest"]:
            kept.append(entry)
    return kept
