"""The front as a PNG that is drawn without a browser: what the description of a study's run in MLflow shows."""

import html
import io
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dashboards.figures.front_figure import axes_in_view, number_sides, outside_text
from dashboards.figures.front_points import FrontPoints, Point
from dashboards.figures.style import BLUE, GREY, GRID, INK, ORANGE, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DPI = (8.0, 4.4), 110
_PARTS = {"left": "right", "right": "left", "top": "bottom", "bottom": "top", "center": "center", "middle": "center"}
"""How text stands that is on a side of its dot: at the left it ends there."""


def front_png(points: FrontPoints) -> bytes:
    """The figure of `dashboards.figures.front_figure.draw` in short: dots, line, intervals, numbers and axes."""
    from matplotlib.figure import Figure  # without pyplot, which has a state that threads share

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells that it looks for fonts
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    x, y = axes_in_view(points)
    _draw_axes(axes, x, y)
    by_kind = {kind: [one for one in points.points if one.kind == kind] for kind in ("trial", "front", "baseline")}
    others, front, baseline = by_kind.values()
    _dots(axes, others, f"other trials ({len(others)})", color="none", edgecolors=GREY, s=26, zorder=2)
    line = sorted((point for point in points.points if point.line), key=lambda point: point.x)
    where: Literal["pre", "post"] = "pre" if points.x.better > 0 else "post"
    axes.step([p.x for p in line], [p.y for p in line], where=where, color=BLUE, linewidth=1.8, zorder=3)
    for shown, colour in ((front, BLUE), (baseline, RED)):
        _intervals(axes, shown, colour)
    alone = [point for point in points.points if point.trial == points.runtime_alone]
    _dots(axes, alone, "runtime alone", color="none", edgecolors=ORANGE, marker="*", s=300, zorder=4)
    _dots(axes, [p for p in front if p.line], "front", color=BLUE, s=60, zorder=5)
    tied = [point for point in front if not point.line]
    _dots(axes, tied, "front, tied with a better one", color="white", edgecolors=BLUE, linewidths=2, s=50, zorder=5)
    _dots(axes, baseline, "baseline", color=RED, marker="D", s=60, zorder=5)
    best = [point for point in front if point.trial == points.best]
    _dots(axes, best, "named in the headline", color="none", edgecolors=INK, s=230, linewidths=1.6, zorder=6)
    doubted = [point for point in points.points if point.unstable]
    _dots(axes, doubted, "timing not to be trusted", color=INK, marker="x", s=28, linewidths=1.2, zorder=6)
    _numbers(axes, front, number_sides(points, x, y))
    axes.text(0.005, 0.01, outside_text(points, x, y), transform=axes.transAxes, fontsize=8, color=INK, va="bottom")
    if axes.get_legend_handles_labels()[1]:
        figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _draw_axes(axes: "Axes", x: Mapping[str, Any], y: Mapping[str, Any]) -> None:
    """The axes as Plotly has them: ranges, ticks and titles."""
    for name, axis in (("x", x), ("y", y)):
        logarithmic = axis.get("type") == "log"
        if "range" in axis:
            axes.set(**{f"{name}scale": "log" if logarithmic else "linear"})
            axes.set(**{f"{name}lim": tuple(10**end if logarithmic else end for end in axis["range"])})
        if "tickvals" in axis:
            axes.set(**{f"{name}ticks": axis["tickvals"], f"{name}ticklabels": axis["ticktext"]})
        title = html.unescape(axis["title"]["text"])
        (axes.xaxis if name == "x" else axes.yaxis).set_label_text(title, color=INK, parse_math=False)
    axes.minorticks_off()
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _dots(axes: "Axes", shown: Sequence[Point], name: str, **look: Any) -> None:
    if shown:
        axes.scatter([point.x for point in shown], [point.y for point in shown], label=name, **look)


def _intervals(axes: "Axes", shown: Sequence[Point], colour: str) -> None:
    style: dict[str, Any] = {"color": colour, "alpha": 0.35, "linewidth": 1, "zorder": 3}
    axes.hlines([p.y for p in shown], [p.x_low for p in shown], [p.x_high for p in shown], **style)
    axes.vlines([p.x for p in shown], [p.y_low for p in shown], [p.y_high for p in shown], **style)


def _numbers(axes: "Axes", front: Sequence[Point], sides: Mapping[int, str]) -> None:
    for point in front:
        if point.trial not in sides:
            continue
        vertical, _, across = sides[point.trial].partition(" ")
        shift = {"left": -6, "right": 6, "top": 5, "bottom": -5}
        axes.annotate(
            str(point.trial),
            (point.x, point.y),
            xytext=(shift.get(across, 0), shift.get(vertical, 0)),
            textcoords="offset points",
            ha=_PARTS[across],
            va=_PARTS[vertical],
            color=BLUE,
            fontweight="bold",
            zorder=7,
        )
