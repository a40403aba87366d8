"""The figure of the front: `draw` makes it from the table of `dashboards.figures.front_points`."""

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.figures.front_points import Axis, FrontPoints, Point

if TYPE_CHECKING:  # plotly takes a moment to import, and only `draw` needs it
    from plotly.graph_objects import Figure, Scatter

_GREY, _BLUE, _RED, _ORANGE, _INK = "#9aa1ab", "#1f5fbf", "#c8452f", "#d98200", "#23272e"
_HALO = ", ".join(f"{x}px {y}px 1px white" for x in (-2, 0, 2) for y in (-2, 0, 2))
"""Keeps a number readable on a bar or a line."""
_TITLE_LINE_PX = 27
_NEAR = 0.06
"""Numbers of dots that are nearer than this share of the picture would be printed over each other."""


def draw(points: FrontPoints) -> "Figure":
    """The figure: trials as open circles, the front as numbered dots on a line in steps, the baseline as a diamond.

    A star surrounds what the runtime alone gives, where that was measured.

    Everything on the worse side of the line is dominated. An axis that shows no accuracy is logarithmic.
    """
    import plotly.graph_objects as go

    heading = _heading(points)
    line = sorted((point for point in points.points if point.line), key=lambda point: point.x)
    figure = go.Figure()
    figure.add_trace(
        _dots(
            points,
            "trial",
            {"color": _GREY, "size": 8, "symbol": "circle-open", "line": {"color": _GREY, "width": 2}},
            bars=False,
        )
    )
    figure.add_trace(_line(line, points.x))
    figure.add_trace(_dots(points, "front", {"color": _BLUE, "size": 11}, bars=True))
    figure.add_trace(_dots(points, "baseline", {"color": _RED, "size": 14, "symbol": "diamond"}, bars=True))
    for alone in (point for point in points.points if point.trial == points.runtime_alone):
        figure.add_trace(_runtime_alone(alone))
    figure.update_layout(
        title={"text": heading, "x": 0.04, "y": 1, "yanchor": "top", "pad": {"t": 24}},
        template="plotly_white",
        font={"family": "Inter, Segoe UI, Helvetica, Arial, sans-serif", "size": 15, "color": _INK},
        hoverlabel={"bgcolor": "white", "font": {"size": 13}, "align": "left"},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        margin={"l": 80, "r": 40, "t": 60 + _TITLE_LINE_PX * (1 + heading.count("<br>")), "b": 70},
        xaxis=_axis(points.x, [point.x for point in points.points]),
        yaxis=_axis(points.y, [point.y for point in points.points]),
    )
    return figure


def figure_html(points: FrontPoints) -> str:
    """`draw` as one HTML page that fills its window and needs no network; about 5 MB, mostly Plotly itself."""
    config = {"displaylogo": False, "responsive": True}
    page: str = draw(points).to_html(include_plotlyjs=True, default_height="96vh", config=config)
    return page


def _heading(points: FrontPoints) -> str:
    """The title, and below it the headline and what the runtime alone gives, in lines that fit into a narrow frame."""
    headline = points.subtitle.replace(": ", ":\n", 1).replace("; the baseline is ", "\nThe baseline is ", 1)
    sentences = [*headline.split("\n"), *filter(None, [points.runtime_alone_text])]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, 80)]
    small = (f'<br><span style="font-size:13px">{safe(line)}</span>' for line in lines)
    return f"<b>{safe(points.title)}</b>" + "".join(small)


def _dots(points: FrontPoints, kind: str, marker: Mapping[str, Any], *, bars: bool) -> "Scatter":
    import plotly.graph_objects as go

    shown = [point for point in points.points if point.kind == kind]
    return go.Scatter(
        x=[point.x for point in shown],
        y=[point.y for point in shown],
        error_x=_bars([(point.x_low, point.x, point.x_high) for point in shown], marker["color"]) if bars else None,
        error_y=_bars([(point.y_low, point.y, point.y_high) for point in shown], marker["color"]) if bars else None,
        mode="markers+text" if kind == "front" else "markers",
        text=[f"<b>{point.trial}</b>" for point in shown],
        textposition=_sides(shown, points),
        textfont={"color": marker["color"], "size": 14, "shadow": _HALO},
        name=f"other trials ({len(shown)})" if kind == "trial" else kind,
        marker={"line": {"color": "white", "width": 1}, **marker},
        hovertext=[_hover(point, points) for point in shown],
        hoverinfo="text",
    )


def _runtime_alone(point: Point) -> "Scatter":
    """A mark around the dot of a trial, which keeps its own mark and its text."""
    import plotly.graph_objects as go

    return go.Scatter(
        x=[point.x],
        y=[point.y],
        mode="markers",
        name="runtime alone",
        marker={"symbol": "star-open", "size": 24, "color": _ORANGE, "line": {"width": 2}},
        hoverinfo="skip",
    )


def _sides(shown: Sequence[Point], points: FrontPoints) -> list[str]:
    """The side of its dot on which each number is printed: the better side, another one where a number is near."""
    vertical = ("top", "bottom") if points.y.better > 0 else ("bottom", "top")
    across = ("right", "left") if points.x.better > 0 else ("left", "right")
    corners = [f"{v} {a}" for v, a in zip((*vertical, *vertical), (*across, *reversed(across)), strict=True)]
    positions = _positions(points.points)
    near = [[other for other in shown[:i] if _apart(positions, shown[i], other) < _NEAR] for i in range(len(shown))]
    return [corners[len(others) % len(corners)] for others in near]


def _positions(points: Sequence[Point]) -> dict[int, tuple[float, float]]:
    """The approximate position of each trial in the figure, both axes from 0 to 1."""
    logarithmic = all(point.x > 0 for point in points)
    x = [math.log(point.x) if logarithmic else point.x for point in points]
    scaled = zip(_from_0_to_1(x), _from_0_to_1([point.y for point in points]), strict=True)
    return {point.trial: position for point, position in zip(points, scaled, strict=True)}


def _from_0_to_1(values: Sequence[float]) -> list[float]:
    low, spread = min(values, default=0.0), _spread(values) or 1.0
    return [(value - low) / spread for value in values]


def _apart(positions: Mapping[int, tuple[float, float]], one: Point, other: Point) -> float:
    return math.dist(positions[one.trial], positions[other.trial])


def _line(line: Sequence[Point], x: Axis) -> "Scatter":
    import plotly.graph_objects as go

    return go.Scatter(
        x=[point.x for point in line],
        y=[point.y for point in line],
        mode="lines",
        line={"color": _BLUE, "width": 2.5, "shape": "vh" if x.better > 0 else "hv"},
        hoverinfo="skip",
        showlegend=False,
    )


def _bars(ends: Sequence[tuple[float, float, float]], color: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - value) for _, value, high in ends],
        "arrayminus": [max(0.0, value - low) for low, value, _ in ends],
        "color": color,
        "thickness": 1.3,
        "width": 4,
    }


def _axis(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    title = {"title": f"{safe(_title(axis))} ({'more' if axis.better > 0 else 'less'} is better)"}
    style = {"showline": True, "linecolor": "#c9ced6", "gridcolor": "#eceff3", "ticks": "outside", "zeroline": False}
    if axis.unit == "fraction":
        return style | title | {"tickformat": ".0%" if _spread(values) > 0.1 else ".1%"}
    if axis.is_quality or not values or min(values) <= 0:
        return style | title
    ticks = _round_numbers(min(values) / 1.5, max(values) * 1.5)
    text = [f"{tick:g}{'x' if axis.unit == 'x' else ''}" for tick in ticks]
    return style | title | {"type": "log", "tickvals": ticks, "ticktext": text}


def _title(axis: Axis) -> str:
    unit = {"x": "times the baseline", "1": "", "fraction": ""}.get(axis.unit, axis.unit)
    name = (axis.label or axis.name).removesuffix(f"_{unit.lower()}").replace("_", " ")
    return f"{name}, {unit}" if unit else name


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from ``low`` to ``high``; over more than three decades, only the powers."""
    steps = (1, 2, 5) if high / low <= 1000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    return [tick for tick in ticks if low <= tick <= high]


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values) if values else 0.0


def _hover(point: Point, points: FrontPoints) -> str:
    lines = [f"<b>trial {point.trial}</b>"]
    lines += [
        _value(points.x, point.x, point.x_low, point.x_high),
        _value(points.y, point.y, point.y_low, point.y_high),
    ]
    lines += [safe(choice) for choice in point.text.split(" ")] if "=" in point.text else [safe(point.text)]
    lines += [f"<i>unstable: {safe(point.unstable)}</i>"] if point.unstable else []
    return "<br>".join(lines)


def _value(axis: Axis, value: float, low: float, high: float) -> str:
    scale, digits, unit = (100, ".1f", " %") if axis.unit == "fraction" else (1, ".4g", f" {axis.unit}")
    interval = f" (95 % {low * scale:{digits}} to {high * scale:{digits}})" if low < high else ""
    return f"{safe(axis.label or axis.name)} {value * scale:{digits}}{safe(unit)}{interval}"


def safe(text: str) -> str:
    """The text with the characters escaped that Plotly reads as markup."""
    return html.escape(text, quote=False)
