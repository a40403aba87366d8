"""The table behind the figure of the front: every complete trial as a point, with its place in the picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dashboards.front_document import Document, configuration_text, headline, instability

Kind = Literal["trial", "front", "baseline"]
_DEFAULTS = (
    {"name": "accuracy", "direction": "maximize", "unit": "fraction"},
    {"name": "speedup", "direction": "maximize", "unit": "x"},
)


@dataclass(frozen=True)
class Axis:
    """One axis: an objective.

    Attributes:
        name: The objective's name.
        direction: ``maximize`` or ``minimize``.
        unit: Its unit; a ``fraction`` is written in percent.
    """

    name: str
    direction: str
    unit: str

    @property
    def better(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.direction == "maximize" else -1


@dataclass(frozen=True)
class Point:
    """One candidate in the picture; ``low`` and ``high`` are the ends of a 95 % interval, or the value itself.

    Attributes:
        kind: Whether it is drawn as any trial, as a member of the front or as the baseline.
        line: Whether the front's line passes through it: nothing in the picture is better on both axes. A member may
            be off the line, as it can owe its place to a third objective or to the intervals.
        text: What differs from the baseline's configuration.
        doubt: Why its figures are not to be trusted, or nothing.
    """

    trial: int
    kind: Kind
    x: float
    x_low: float
    x_high: float
    y: float
    y_low: float
    y_high: float
    line: bool
    text: str
    doubt: str = ""


@dataclass(frozen=True)
class FrontPoints:
    """Everything that the figure shows; `to_json` and `from_json` are each other's inverse."""

    title: str
    subtitle: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON types."""
        return asdict(self) | {"points": [asdict(point) for point in self.points]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FrontPoints":
        """The table that `to_json` wrote."""
        points = tuple(Point(**point) for point in document["points"])
        return cls(document["title"], document["subtitle"], Axis(**document["x"]), Axis(**document["y"]), points)


def front_points(document: Document, trials: Iterable[Mapping[str, Any]]) -> FrontPoints:
    """The table that the figure shows: every complete trial once, by number, where its place on both axes is known.

    Args:
        document: The front document. Its figures are preferred to those of ``trials``, as they may be final ones.
        trials: The complete trials, in the form of the front's members; the front and the baseline may be among them.
    """
    y, x = _axes(document["objectives"])
    baseline = document.get("baseline")
    kinds: dict[int, Kind] = {member["trial"]: "front" for member in document["front"]}
    shown = {trial["trial"]: trial for trial in trials if trial.get("measurement")}
    shown |= {member["trial"]: member for member in document["front"]}
    if baseline:
        kinds[baseline["trial"]] = "baseline"
        shown[baseline["trial"]] = baseline
    shown = {number: trial for number, trial in shown.items() if _has_place(trial, x, y)}
    on_line = _staircase([shown[number] for number in kinds if number in shown], x, y)
    plain = baseline["configuration"] if baseline else {}
    points = tuple(
        Point(
            number,
            kinds.get(number, "trial"),
            *_estimate(shown[number], x),
            *_estimate(shown[number], y),
            line=number in on_line,
            text="baseline" if kinds.get(number) == "baseline" else _text(shown[number], plain),
            doubt=instability(shown[number]),
        )
        for number in sorted(shown)
    )
    title = f"{document['study']}: {document.get('workload', '')}, {document['trials']} trials"
    return FrontPoints(title, headline(document), x, y, points)


def _axes(objectives: Sequence[Mapping[str, Any]]) -> tuple[Axis, Axis]:
    """The first two objectives as (y, x); a lone one is completed, and a fraction stands upright."""
    missing = [axis for axis in _DEFAULTS if axis["name"] not in {objective["name"] for objective in objectives}]
    first, second = (Axis(o["name"], o["direction"], o.get("unit", "")) for o in [*objectives, *missing][:2])
    swap = second.unit == "fraction" and first.unit != "fraction"
    return (second, first) if swap else (first, second)


def _has_place(trial: Mapping[str, Any], *axes: Axis) -> bool:
    return all(trial["measurement"].get(axis.name) is not None for axis in axes)


def _estimate(member: Mapping[str, Any], axis: Axis) -> tuple[float, float, float]:
    measured = member["measurement"]
    value = measured[axis.name]
    low, high = measured.get(f"{axis.name}_ci95") or (value, value)
    return value, low, high


def _staircase(shown: Sequence[Mapping[str, Any]], x: Axis, y: Axis) -> set[int]:
    """The trials that no other of ``shown`` beats on one axis without losing on the other."""

    def losses(member: Mapping[str, Any]) -> tuple[float, float]:
        return -x.better * member["measurement"][x.name], -y.better * member["measurement"][y.name]

    kept: set[int] = set()
    lowest = float("inf")
    for member in sorted(shown, key=losses):
        if losses(member)[1] < lowest:
            lowest = losses(member)[1]
            kept.add(member["trial"])
    return kept


def _text(trial: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    return configuration_text(trial["configuration"], plain)
