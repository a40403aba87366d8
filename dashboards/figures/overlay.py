"""Several fronts in one figure, each with a colour, a shape and a dash of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboards.figures.axes import Axis, drawn_axis
from dashboards.figures.style import DASHES, HALO, SERIES, SYMBOLS, finish, hover_lines, safe, translucent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class FrontDot:
    """One member of a front.

    Attributes:
        name: What it is called: the number of its trial, or what another tool calls it.
        x: Its value on the horizontal axis, with the ends of its interval: value, low, high.
        y: As ``x``, on the vertical axis.
        text: Its choices.
        line: Whether the line of its front passes through it.
    """

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    text: str = ""
    line: bool = True


def overlay_figure(fronts: Mapping[str, Sequence[FrontDot]], x: Axis, y: Axis) -> "Figure":
    """The fronts by their names, each a line in steps through its dots.

    Args:
        fronts: The dots of each.
        x: The horizontal axis.
        y: The vertical axis.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (name, dots) in enumerate(fronts.items()):
        colour, look = SERIES[index % len(SERIES)], index % len(SYMBOLS)
        line = sorted((dot for dot in dots if dot.line), key=lambda dot: dot.x[0])
        bars = {"color": translucent(colour, 0.4), "thickness": 1.2, "width": 0, "type": "data", "symmetric": False}
        figure.add_trace(
            go.Scatter(
                x=[dot.x[0] for dot in line],
                y=[dot.y[0] for dot in line],
                mode="lines",
                line={"color": colour, "width": 2.2, "dash": DASHES[look], "shape": "vh" if x.better > 0 else "hv"},
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[dot.x[0] for dot in dots],
                y=[dot.y[0] for dot in dots],
                error_x={**bars, **_ends([dot.x for dot in dots])},
                error_y={**bars, **_ends([dot.y for dot in dots])},
                mode="markers+text" if len(dots) <= 12 else "markers",
                text=[f"<b>{safe(dot.name)}</b>" for dot in dots],
                textposition="top right" if index % 2 == 0 else "bottom left",
                textfont={"color": colour, "size": 13, "shadow": HALO},
                marker={"color": colour, "size": 11, "symbol": SYMBOLS[look], "line": {"color": "white", "width": 1}},
                legendgroup=name,
                name=safe(name),
                hovertext=[_hover(name, dot, x, y) for dot in dots],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    every = [dot for dots in fronts.values() for dot in dots]
    xs, ys = [v for dot in every for v in dot.x], [v for dot in every for v in dot.y]
    return finish(figure, 500, xaxis=drawn_axis(x, xs), yaxis=drawn_axis(y, ys))


def _ends(spans: Sequence[tuple[float, float, float]]) -> dict[str, list[float]]:
    return {
        "array": [max(0.0, high - value) for value, _, high in spans],
        "arrayminus": [max(0.0, value - low) for value, low, _ in spans],
    }


def _hover(name: str, dot: FrontDot, x: Axis, y: Axis) -> str:
    return hover_lines(f"{name}: {dot.name}", [x.interval_text(*dot.x), y.interval_text(*dot.y)], dot.text)
