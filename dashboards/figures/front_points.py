"""The table behind the figure of the front: one point for each complete trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dashboards.baseline_text import runtime_alone_text
from dashboards.figures.axes import Axis, front_axes
from dashboards.figures.bounds import Bound, bounds_on
from dashboards.formatting import choices_text, configuration_text
from dashboards.front_rows import Document, Member, instability, interval_of
from dashboards.headline import best_member, headline
from dashboards.study_text import study_title

Kind = Literal["trial", "front", "baseline"]


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
        choices: The whole configuration.
        ties: The members from which it cannot be told apart.
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
    choices: str = ""
    ties: tuple[int, ...] = ()


@dataclass(frozen=True)
class FrontPoints:
    """Everything that the figure shows.

    Attributes:
        title: What was searched, where and when.
        subtitle: The front in a sentence.
        x: The horizontal axis.
        y: The vertical axis.
        points: A point for each trial.
        runtime_alone: The number of the fastest trial that changes the runtime and the threads alone, or None.
        runtime_alone_text: That trial in words, or empty.
        best: The number of the trial that the subtitle names, or None.
        knee: The number of the member nearest to what would be best in every objective, or None.
        bounds: Where a constraint cuts off a part of the figure.
    """

    title: str
    subtitle: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    runtime_alone: int | None = None
    runtime_alone_text: str = ""
    best: int | None = None
    knee: int | None = None
    bounds: tuple[Bound, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FrontPoints":
        """The table that `to_json` wrote, this version's or an earlier one's."""
        points = tuple(Point(**{**point, "ties": tuple(point.get("ties", ()))}) for point in document["points"])
        axes = {name: Axis(**document[name]) for name in ("x", "y")}
        bounds = tuple(Bound(**bound) for bound in document.get("bounds", ()))
        return cls(**{**document, **axes, "points": points, "bounds": bounds})

    def numbered(self, trial: int | None) -> Point | None:
        """The point of ``trial``, or None."""
        return next((point for point in self.points if point.trial == trial), None)


def front_points(document: Document, trials: Iterable[Mapping[str, Any]]) -> FrontPoints:
    """The table that the figure shows: each complete trial once, by number, where it has a value on both axes.

    Args:
        document: The front document. Its measurements replace those of ``trials``, because they can be final ones.
        trials: The complete trials, in the form of the front's members; the front and the baseline may be among them.
    """
    x, y = front_axes(document)
    baseline = document.get("baseline")
    kinds: dict[int, Kind] = {member["trial"]: "front" for member in document["front"]}
    if baseline:
        kinds[baseline["trial"]] = "baseline"
    shown = {n: trial for n, trial in _latest(document, trials).items() if _has_values(trial, x, y)}
    on_line = _nondominated([shown[number] for number in kinds if number in shown], x, y)
    plain = baseline["configuration"] if baseline else {}
    alone, best = document.get("runtime_alone"), best_member(document)
    return FrontPoints(
        study_title(document),
        headline(document),
        x,
        y,
        tuple(_point(shown[n], kinds.get(n, "trial"), (x, y), n in on_line, plain) for n in sorted(shown)),
        alone["trial"] if alone and alone["trial"] in shown else None,
        runtime_alone_text(document),
        best["trial"] if best and best["trial"] in shown else None,
        document.get("knee") if document.get("knee") in shown else None,
        bounds_on(document, x, y),
    )


def _latest(document: Document, trials: Iterable[Mapping[str, Any]]) -> dict[int, Member]:
    """Each measured trial with its final measurement where it has one, by its number."""
    known = {trial["trial"]: trial for trial in trials if trial.get("measurement")}
    final = filter(None, [document.get("runtime_alone"), *document["front"], document.get("baseline")])
    return known | {member["trial"]: member for member in final}


def _point(trial: Member, kind: Kind, axes: tuple[Axis, Axis], line: bool, plain: Mapping[str, Any]) -> Point:
    configuration = trial["configuration"]
    return Point(
        trial["trial"],
        kind,
        *_value_and_interval(trial, axes[0]),
        *_value_and_interval(trial, axes[1]),
        line=line,
        text="baseline" if kind == "baseline" else configuration_text(configuration, plain),
        unstable=instability(trial),
        choices=choices_text(configuration),
        ties=tuple(trial.get("ties", ())),
    )


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
