"""The figure of the front for a paper or a slide: at a fixed size, with its heading and what each member is."""

from typing import TYPE_CHECKING

from dashboards.figures.front_figure import draw
from dashboards.figures.front_points import FrontPoints, Point
from dashboards.figures.style import safe, with_heading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WIDTH_PX = 800
AXIS_PX, LEGEND_PX, LINE_PX = 60, 94, 20

MOST_LINES = 12
"""Members whose configuration is told."""


def picture(points: FrontPoints) -> "Figure":
    """The figure at a fixed size, with the configurations of the front's members in lines below it.

    The heading leaves out why a timing is unstable: each member says in its line that it is.
    """
    named = points.subtitle.partition("; unstable: ")[0].replace("; the baseline is ", "\nbaseline: ").split("\n")
    members = sorted((point for point in points.points if point.kind == "front"), key=lambda point: -point.x)
    lines = [_line(point) for point in members[:MOST_LINES]]
    lines += [f"and {len(members) - MOST_LINES} more"] if len(members) > MOST_LINES else []
    figure = with_heading(draw(points), points.title, [*named, points.runtime_alone_text], WIDTH_PX)
    below = LINE_PX * (len(lines) + 1) + 10
    legend_px = LEGEND_PX + below
    margin = {**figure.layout.margin.to_plotly_json(), "b": AXIS_PX + legend_px}
    height = figure.layout.height + below
    figure.update_layout(height=height, margin=margin, legend={"y": (below + 12) / height})
    figure.add_annotation(
        text="<br>".join(["<b>Members of the front, by trial. Bars: 95 % intervals.</b>", *lines]),
        font={"size": 13},
        align="left",
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="top",
        yshift=10 - AXIS_PX - LEGEND_PX,
    )
    return figure


def _line(point: Point) -> str:
    return f"{point.trial}: {safe(point.text)}{' (unstable)' if point.unstable else ''}"
