"""The table behind the figure of the front: one point for each complete trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dashboards.baseline_text import runtime_alone_text
from dashboards.formatting import configuration_text
from dashboards.front_rows import Document, Member, instability, interval_of
from dashboards.headline import headline
from runners.metric import FRACTION, QualityMetric

Kind = Literal["trial", "front", "baseline"]


@dataclass(frozen=True)
class Axis:
    """One axis of the figure, which is an objective.

    Attributes:
        name: Name of the objective.
        direction: ``maximize`` or ``minimize``.
        unit: Unit of the objective; a ``fraction`` is shown in percent.
        label: What it is called in the figure; empty is its name.
    """

    name: str
    direction: str
    unit: str
    label: str = ""

    @property
    def better(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.direction == "maximize" else -1

    @property
    def is_quality(self) -> bool:
        """Whether it shows what the workload's metric says of a candidate."""
        return self.unit == FRACTION or self.name.startswith("accuracy")


@dataclass(frozen=True)
class Point:
    """One trial in the figure.

    Attributes:
        trial: Its number.
        kind: Whether it is the baseline, a member of the front, or another trial.
        x: Its value on the x axis.
        x_low: Lower end of the 95 % interval of ``x``, or ``x`` where there is no interval.
        x_high: Upper end of the 95 % interval of ``x``, or ``x`` where there is no interval.
        y: Its value on the y axis.
        y_low: As ``x_low``.
        y_high: As ``x_high``.
        line: Whether the front's line passes through it: no member of the front dominates it on these two axes. A
            member can be off the line because of a third objective or because of the intervals.
        text: What differs from the baseline's configuration.
        unstable: Why its timing is unstable, or empty.
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
    unstable: str = ""


@dataclass(frozen=True)
class FrontPoints:
    """Everything that the figure shows.

    Attributes:
        title: What was searched.
        subtitle: The front in a sentence.
        x: The horizontal axis.
        y: The vertical axis.
        points: A point for each trial.
        runtime_alone: The number of the fastest trial that changes the runtime and the threads alone, or None.
        runtime_alone_text: That trial in words, or empty.
    """

    title: str
    subtitle: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    runtime_alone: int | None = None
    runtime_alone_text: str = ""

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FrontPoints":
        """The table that `to_json` wrote."""
        points = tuple(Point(**point) for point in document["points"])
        axes = Axis(**document["x"]), Axis(**document["y"])
        alone = document.get("runtime_alone"), document.get("runtime_alone_text", "")
        return cls(document["title"], document["subtitle"], *axes, points, *alone)


def front_points(document: Document, trials: Iterable[Mapping[str, Any]]) -> FrontPoints:
    """The table that the figure shows: each complete trial once, by number, where it has a value on both axes.

    Args:
        document: The front document. Its measurements replace those of ``trials``, because they can be final ones.
        trials: The complete trials, in the form of the front's members; the front and the baseline may be among them.
    """
    y, x = _axes(document["objectives"], QualityMetric.of_front(document))
    baseline = document.get("baseline")
    kinds: dict[int, Kind] = {member["trial"]: "front" for member in document["front"]}
    shown = {trial["trial"]: trial for trial in trials if trial.get("measurement")}
    alone = document.get("runtime_alone")
    shown |= {member["trial"]: member for member in [*([alone] if alone else []), *document["front"]]}
    if baseline:
        kinds[baseline["trial"]] = "baseline"
        shown[baseline["trial"]] = baseline
    shown = {number: trial for number, trial in shown.items() if _has_values(trial, x, y)}
    on_line = _nondominated([shown[number] for number in kinds if number in shown], x, y)
    plain = baseline["configuration"] if baseline else {}
    points = tuple(
        Point(
            number,
            kinds.get(number, "trial"),
            *_value_and_interval(shown[number], x),
            *_value_and_interval(shown[number], y),
            line=number in on_line,
            text="baseline"
            if kinds.get(number) == "baseline"
            else configuration_text(shown[number]["configuration"], plain),
            unstable=instability(shown[number]),
        )
        for number in sorted(shown)
    )
    title = f"{document['study']}: {document.get('workload', '')}, {document['trials']} trials"
    marked = alone["trial"] if alone and alone["trial"] in shown else None
    return FrontPoints(title, headline(document), x, y, points, marked, runtime_alone_text(document))


def _axes(objectives: Sequence[Mapping[str, Any]], metric: QualityMetric) -> tuple[Axis, Axis]:
    """The first two objectives as (y, x), with a default beside a single one; the quality goes on the y axis."""
    accuracy = {"name": "accuracy", "direction": metric.direction, "unit": metric.unit}
    speedup = {"name": "speedup", "direction": "maximize", "unit": "x"}
    known = {objective["name"] for objective in objectives}
    missing = [axis for axis in (accuracy, speedup) if axis["name"] not in known]
    first, second = (_axis(objective, metric) for objective in [*objectives, *missing][:2])
    swap = second.is_quality and not first.is_quality
    return (second, first) if swap else (first, second)


def _axis(objective: Mapping[str, Any], metric: QualityMetric) -> Axis:
    name = objective["name"]
    label = metric.name + name.removeprefix("accuracy") if name.startswith("accuracy") else ""
    return Axis(name, objective["direction"], objective.get("unit", ""), "" if label == name else label)


def _has_values(trial: Member, *axes: Axis) -> bool:
    return all(trial["measurement"].get(axis.name) is not None for axis in axes)


def _value_and_interval(trial: Member, axis: Axis) -> tuple[float, float, float]:
    value = trial["measurement"][axis.name]
    return (value, *(interval_of(trial, axis.name) or (value, value)))


def _nondominated(shown: Sequence[Member], x: Axis, y: Axis) -> set[int]:
    """The trials that no other of ``shown`` dominates on these two axes."""

    def losses(member: Member) -> tuple[float, float]:
        return -x.better * member["measurement"][x.name], -y.better * member["measurement"][y.name]

    kept: set[int] = set()
    lowest = float("inf")
    for member in sorted(shown, key=losses):
        if losses(member)[1] < lowest:
            lowest = losses(member)[1]
            kept.add(member["trial"])
    return kept
