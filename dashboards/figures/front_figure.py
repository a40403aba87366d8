"""The figure of the front: `draw` makes it from the table of `dashboards.figures.front_points`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.figures.axes import Axis, axis_in_view, drawn_axis
from dashboards.figures.bounds import Bound
from dashboards.figures.front_points import FrontPoints, Point
from dashboards.figures.label_places import label_places
from dashboards.figures.style import BLUE, FAINT, GREY, HALO, INK, ORANGE, RED, finish, hover_lines, safe, translucent

if TYPE_CHECKING:  # plotly takes a moment to import, and only `draw` needs it
    from plotly.graph_objects import Figure, Scatter

_WIDE_PX, _HIGH_PX = 680, 400
"""The size of what lies between the axes, about."""
_CROWDED = 15
"""Numbers of a front with more members are all on the same side, those that have room."""
_MANY = 200
"""From so many trials on, those off the front are small."""


def draw(points: FrontPoints) -> "Figure":
    """The figure: trials as open circles, the front as numbered dots on a line in steps, the baseline as a diamond.

    Members off the line, which cannot be told apart from those on it, are open. A star surrounds what the runtime alone
    gives, a ring the trial that the headline names, a square the knee; a cross says that a timing is not to be trusted.
    Everything on the worse side of the line is dominated; what a constraint does not allow is grey. An axis that shows
    no accuracy is logarithmic.
    """
    import plotly.graph_objects as go

    front = [point for point in points.points if point.kind == "front"]
    others = [point for point in points.points if point.kind == "trial"]
    baseline = [point for point in points.points if point.kind == "baseline"]
    small = 5 if len(others) > _MANY else 8
    faint = {"color": GREY, "size": small, "symbol": "circle-open", "opacity": 0.75, "line": {"width": 1.5}}
    tied = {"color": BLUE, "size": 11, "symbol": "circle-open", "line": {"width": 2.5, "color": BLUE}}
    off_line = [point for point in front if not point.line]
    x, y = axes_in_view(points)
    numbers = number_sides(points, x, y)
    figure = go.Figure()
    figure.add_trace(_dots(others, points, f"other trials ({len(others)})", faint))
    figure.add_trace(_line(sorted((p for p in points.points if p.line), key=lambda point: point.x), points.x))
    figure.add_traces(_bars([*front, *baseline]))
    figure.add_trace(_dots([p for p in front if p.line], points, "front", {"color": BLUE, "size": 12}, numbers))
    if off_line:
        figure.add_trace(_dots(off_line, points, "front, tied with a better one", tied, numbers))
    figure.add_trace(_dots(baseline, points, "baseline", {"color": RED, "size": 14, "symbol": "diamond"}))
    figure.add_traces(list(_marks(points)))
    finish(figure, 500, xaxis=x, yaxis=y)
    for bound in points.bounds:
        _shade(figure, bound)
    if text := outside_text(points, x, y):
        note = {"text": text, "font": {"size": 12, "color": INK, "shadow": HALO}, "showarrow": False}
        figure.add_annotation(**note, xref="paper", yref="paper", x=0, y=0, xanchor="left", yanchor="bottom")
    return figure


def axes_in_view(points: FrontPoints) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plotly's axes, with room for all but those other trials that would press the front together."""
    others = [point for point in points.points if point.kind == "trial"]
    spans = [point for point in points.points if point.kind != "trial"]
    alone = [point for point in others if point.trial == points.runtime_alone]
    has_front = sum(point.kind == "front" for point in spans) > 1
    drawn = []
    for name, axis in (("x", points.x), ("y", points.y)):
        needed = [getattr(point, end) for point in spans for end in (f"{name}_low", name, f"{name}_high")]
        needed += [*(getattr(point, name) for point in alone), *_at(points, name)]
        far = [getattr(point, name) for point in others]
        drawn.append(axis_in_view(axis, needed, far) if has_front else drawn_axis(axis, [*needed, *far]))
    return drawn[0], drawn[1]


def outside_text(points: FrontPoints, x: Mapping[str, Any], y: Mapping[str, Any]) -> str:
    """How many trials `axes_in_view` leaves out, in words; empty where it shows all."""
    others = (point for point in points.points if point.kind == "trial")
    left_out = sum(not (0 <= _share(point.x, x) <= 1 and 0 <= _share(point.y, y) <= 1) for point in others)
    return f"{left_out} other trial{'s' if left_out > 1 else ''} outside of the picture" if left_out else ""


def _dots(
    shown: Sequence[Point],
    points: FrontPoints,
    name: str,
    marker: Mapping[str, Any],
    numbers: Mapping[int, str] | None = None,
) -> "Scatter":
    """Dots, those with a side in ``numbers`` with the number of their trial on that side."""
    import plotly.graph_objects as go

    sides = numbers or {}
    return go.Scatter(
        x=[point.x for point in shown],
        y=[point.y for point in shown],
        mode="markers" if numbers is None else "markers+text",
        text=[f"<b>{point.trial}</b>" if point.trial in sides else "" for point in shown],
        textposition=[sides.get(point.trial, "top right") for point in shown],
        textfont={"color": BLUE, "size": 14, "shadow": HALO},
        name=name,
        marker={"line": {"color": "white", "width": 1}, **marker},
        hovertext=[_hover(point, points) for point in shown],
        hoverinfo="text",
        cliponaxis=False,
    )


def _bars(shown: Sequence[Point]) -> list["Scatter"]:
    """The intervals of ``shown`` behind their dots, so faint that they do not drown them."""
    import plotly.graph_objects as go

    colours = {"front": BLUE, "baseline": RED}
    traces = []
    for kind, colour in colours.items():
        of_kind = [point for point in shown if point.kind == kind]
        style = {"color": translucent(colour, 0.45 if len(of_kind) < 12 else 0.25), "thickness": 1.2, "width": 0}
        traces.append(
            go.Scatter(
                x=[point.x for point in of_kind],
                y=[point.y for point in of_kind],
                error_x={**_ends([(p.x_low, p.x, p.x_high) for p in of_kind]), **style},
                error_y={**_ends([(p.y_low, p.y, p.y_high) for p in of_kind]), **style},
                mode="markers",
                marker={"opacity": 0},
                hoverinfo="skip",
                showlegend=False,
                name=f"intervals of the {kind}",
            )
        )
    return traces


def _ends(ends: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - value) for _, value, high in ends],
        "arrayminus": [max(0.0, value - low) for low, value, _ in ends],
    }


def _marks(points: FrontPoints) -> Iterator["Scatter"]:
    """What is drawn around or upon dots, which keep their own mark and text."""
    doubted = [point for point in points.points if point.unstable]
    if doubted:
        ink = {"symbol": "x-thin", "size": 8, "line": {"width": 1.6, "color": INK}}
        yield _mark(doubted, "timing not to be trusted", ink)
    star = {"symbol": "star-open", "size": 26, "color": ORANGE, "line": {"width": 2}}
    ring = {"symbol": "circle-open", "size": 23, "color": INK, "line": {"width": 2}}
    square = {"symbol": "square-open", "size": 21, "color": INK, "line": {"width": 1.5}}
    for trial, name, marker in (
        (points.runtime_alone, "runtime alone", star),
        (points.knee, "knee", square),
        (points.best, "named in the headline", ring),
    ):
        if point := points.numbered(trial):
            yield _mark([point], name, marker)


def _mark(shown: Sequence[Point], name: str, marker: Mapping[str, Any]) -> "Scatter":
    import plotly.graph_objects as go

    x, y = [point.x for point in shown], [point.y for point in shown]
    return go.Scatter(x=x, y=y, mode="markers", name=name, marker=dict(marker), hoverinfo="skip", cliponaxis=False)


def _line(line: Sequence[Point], x: Axis) -> "Scatter":
    import plotly.graph_objects as go

    return go.Scatter(
        x=[point.x for point in line],
        y=[point.y for point in line],
        mode="lines",
        line={"color": BLUE, "width": 2.5, "shape": "vh" if x.better > 0 else "hv"},
        hoverinfo="skip",
        showlegend=False,
        name="line of the front",
    )


def _at(points: FrontPoints, axis: str) -> list[float]:
    return [bound.at for bound in points.bounds if bound.axis == axis]


def _shade(figure: "Figure", bound: Bound) -> None:
    """Grey where a constraint is not satisfied, with a dashed edge and its text."""
    axis = figure.layout[f"{bound.axis}axis"]
    logarithmic = axis.type == "log"
    if logarithmic and bound.at <= 0:
        return
    far = axis.range[1] if bound.above else axis.range[0]
    far = 10**far if logarithmic else far
    where = math.log10(bound.at) if logarithmic else bound.at
    across = "y" if bound.axis == "x" else "x"
    edge = {f"{bound.axis}0": bound.at, f"{bound.axis}1": bound.at, f"{across}0": 0, f"{across}1": 1}
    place = {f"{across}ref": "paper", "layer": "below"}
    figure.add_shape(
        type="rect", line_width=0, fillcolor=translucent(FAINT, 0.35), **{**edge, f"{bound.axis}1": far}, **place
    )
    figure.add_shape(type="line", line={"color": GREY, "dash": "dash", "width": 1.5}, **edge, **place)
    text = {"text": safe(bound.text), "showarrow": False, "font": {"size": 12, "color": INK, "shadow": HALO}}
    if bound.axis == "x":
        side = "left" if bound.above else "right"
        figure.add_annotation(x=where, y=1, yref="paper", yanchor="top", xanchor=side, **text)
    else:
        side = "bottom" if bound.above else "top"
        figure.add_annotation(y=where, x=0, xref="paper", xanchor="left", yanchor=side, **text)


def number_sides(points: FrontPoints, x: Mapping[str, Any], y: Mapping[str, Any]) -> dict[int, str]:
    """The side of its dot on which the number of each member is printed: the better side, or another one with room.

    Args:
        points: The table.
        x: What `axes_in_view` gives.
        y: As ``x``.

    Returns:
        Plotly's ``textposition`` by trial, without those that have no room.
    """
    vertical = ("top", "bottom") if points.y.better > 0 else ("bottom", "top")
    across = ("right", "left") if points.x.better > 0 else ("left", "right")
    corners = [f"{v} {a}" for v, a in zip((*vertical, *vertical), (*across, *reversed(across)), strict=True)]
    beside = [*(f"{one} center" for one in vertical), *(f"middle {one}" for one in across)]
    front = [point for point in points.points if point.kind == "front"]
    first = sorted(front, key=lambda point: point.trial not in (points.best, points.knee))
    dots = {
        point.trial: (_share(point.x, x) * _WIDE_PX, _share(point.y, y) * _HIGH_PX)
        for point in points.points
        if point.kind != "trial"
    }
    sides = [*corners, *beside] if len(front) <= _CROWDED else corners[:1]
    return label_places({point.trial: str(point.trial) for point in first}, dots, sides)


def _share(value: float, axis: Mapping[str, Any]) -> float:
    """Where ``value`` is between the ends of an axis, from 0 to 1."""
    low, high = axis["range"]
    return float(((math.log10(value) if axis.get("type") == "log" else value) - low) / (high - low))


def _hover(point: Point, points: FrontPoints) -> str:
    figures = (
        points.x.interval_text(point.x, point.x_low, point.x_high),
        points.y.interval_text(point.y, point.y_low, point.y_high),
    )
    ties = [f"cannot be told apart from {', '.join(map(str, point.ties))}"] if point.ties else []
    doubts = [f"not to be trusted: {point.unstable}"] if point.unstable else []
    return hover_lines(f"trial {point.trial}: {point.text}", figures, point.choices, [*ties, *doubts])
