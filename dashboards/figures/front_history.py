"""The front while the search went on: a slider moves through time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dashboards.figures.axes import Axis, axis_in_view, drawn_axis, front_axes
from dashboards.figures.front_line import front_line
from dashboards.figures.style import BLUE, GREY, INK, empty, finish
from dashboards.time_left import duration

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

MOST_STEPS = 40
_TRIALS_DRAWN = 400
"""Of more trials, only the front is drawn at each step."""


@dataclass(frozen=True)
class FrontHistory:
    """The table behind the figure.

    Attributes:
        x: The horizontal axis.
        y: The vertical axis.
        places: Where each trial is on both, as measured during the search.
        course: For each trial, as they ended, its number ``trial``, the seconds after which it ended: ``at``, and the
            ``front`` where that changed, else None.
    """

    x: Axis
    y: Axis
    places: Mapping[int, tuple[float, float]]
    course: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The table as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FrontHistory":
        """The table that `to_json` wrote."""
        places = {int(number): (float(x), float(y)) for number, (x, y) in document["places"].items()}
        return cls(Axis(**document["x"]), Axis(**document["y"]), places, document["course"])


def front_history(
    document: Mapping[str, Any], trials: Iterable[Mapping[str, Any]], course: Sequence[Mapping[str, Any]]
) -> FrontHistory:
    """The table of ``trials`` in the form of ``all`` of a report document, whose ``course`` it has too.

    Args:
        document: The front document.
        trials: All trials.
        course: What `search.front.course` gives.
    """
    x, y = front_axes(document)
    searched = {t["trial"]: t.get("searched") or t["measurement"] for t in trials if t.get("measurement")}
    places = {
        number: (float(one[x.name]), float(one[y.name]))
        for number, one in searched.items()
        if one.get(x.name) is not None and one.get(y.name) is not None
    }
    kept = [{name: step[name] for name in ("trial", "at", "front")} for step in course if step["trial"] in places]
    return FrontHistory(x, y, places, kept)


def front_history_figure(document: Mapping[str, Any]) -> "Figure":
    """The trials that had ended and the front, as measured during the search, at the moment that a slider chooses.

    Args:
        document: A report document: the front document with ``all`` its trials and its ``course``.
    """
    return draw_history(front_history(document, document.get("all", ()), document.get("course", ())))


def draw_history(history: FrontHistory) -> "Figure":
    """The figure of `front_history_figure`, from its table."""
    import plotly.graph_objects as go

    x, y, places, course = history.x, history.y, history.places, history.course
    if not course:
        return empty("No trial has ended yet.")
    kept = _chosen(course)
    frames = [
        go.Frame(data=_traces(course[: at + 1], _front_at(course, at), places, (x, y)), name=str(at), traces=[0, 1])
        for at in kept
    ]
    at_once = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    steps = [{"args": [[str(at)], at_once], "label": duration(course[at]["at"]), "method": "animate"} for at in kept]
    figure = go.Figure(data=list(frames[-1].data), frames=frames)
    slider = {
        "active": len(steps) - 1,
        "steps": steps,
        "currentvalue": {"prefix": "after ", "font": {"size": 14, "color": INK}, "xanchor": "left"},
        "pad": {"t": 66, "b": 10},
        "font": {"color": "rgba(0,0,0,0)"},
        "ticklen": 0,
        "minorticklen": 0,
    }
    once = {number for step in course for number in step["front"] or ()} | {course[0]["trial"]}
    drawn = []
    for index, axis in enumerate((x, y)):
        needed = [place[index] for number, place in places.items() if number in once]
        others = [place[index] for number, place in places.items() if number not in once]
        drawn.append(axis_in_view(axis, needed, others) if len(once) > 2 else drawn_axis(axis, [*needed, *others]))
    legend = {"orientation": "h", "yref": "paper", "y": 1.02, "yanchor": "bottom", "x": 0}
    return finish(figure, 520, xaxis=drawn[0], yaxis=drawn[1], sliders=[slider], legend=legend, margin={"t": 40})


def _chosen(course: Sequence[Mapping[str, Any]]) -> list[int]:
    """At most `MOST_STEPS` places in ``course``, the last one and those at which the front changed among them."""
    changed = [index for index, step in enumerate(course) if step["front"] is not None]
    places = sorted({*changed, len(course) - 1})
    if len(places) <= MOST_STEPS:
        return places
    return sorted({places[round(index * (len(places) - 1) / (MOST_STEPS - 1))] for index in range(MOST_STEPS)})


def _front_at(course: Sequence[Mapping[str, Any]], at: int) -> list[int]:
    return next((step["front"] for step in reversed(course[: at + 1]) if step["front"] is not None), [])


def _traces(
    ended: Sequence[Mapping[str, Any]],
    front: Sequence[int],
    places: Mapping[int, tuple[float, float]],
    axes: tuple[Axis, Axis],
) -> list["Scatter"]:
    import plotly.graph_objects as go

    members = front_line([places[number] for number in front if number in places], *axes)
    others = [places[step["trial"]] for step in ended[-_TRIALS_DRAWN:]]
    hollow = {"color": GREY, "symbol": "circle-open", "size": 6, "opacity": 0.7}
    line = {"color": BLUE, "width": 2.5, "shape": "vh" if axes[0].better > 0 else "hv"}
    return [
        go.Scatter(
            x=[_round(one) for one, _ in others],
            y=[_round(one) for _, one in others],
            mode="markers",
            marker=hollow,
            name="trials so far",
            hoverinfo="skip",
        ),
        go.Scatter(
            x=[one for one, _ in members],
            y=[one for _, one in members],
            mode="lines+markers",
            line=line,
            marker={"size": 9},
            name="front",
            hoverinfo="x+y",
        ),
    ]


def _round(value: float) -> float:
    return float(f"{value:.4g}")
