"""The hypervolume of the front while the search went on, over time or over trials."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dashboards.figures.style import BLUE, RED, empty, finish
from dashboards.time_left import duration

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def hypervolume_figure(document: Mapping[str, Any], over: Literal["time", "trials"] = "time") -> "Figure":
    """The hypervolume after each trial, in the order in which they ended; it never falls.

    A diamond is the front's after the final measurement, which can be lower: the best of many measurements tends to
    look better than it is.

    Args:
        document: A report document: the front document with its ``course``.
        over: What is on the horizontal axis.
    """
    import plotly.graph_objects as go

    course = document.get("course", ())
    if not course:
        return empty("No trial has ended yet.")
    scale, unit = _unit(course[-1]["at"]) if over == "time" else (1.0, "")
    xs = [step["at"] / scale for step in course] if over == "time" else list(range(1, len(course) + 1))
    ys = [step["hypervolume"] for step in course]
    hover = [f"after trial {step['trial']}, {duration(step['at'])}: {step['hypervolume']:.4f}" for step in course]
    figure = go.Figure(
        go.Scatter(
            x=xs,
            y=ys,
            mode="lines+markers" if len(xs) <= 60 else "lines",
            line={"shape": "hv", "color": BLUE, "width": 2.5},
            marker={"size": 6},
            name="during the search",
            hovertext=hover,
            hoverinfo="text",
        )
    )
    finals = [m for m in document["front"] if m.get("searched")]
    if finals:
        last = {"color": RED, "symbol": "diamond", "size": 12}
        text = f"final measurement: {document['hypervolume']:.4f}"
        figure.add_trace(
            go.Scatter(
                x=xs[-1:],
                y=[document["hypervolume"]],
                mode="markers",
                marker=last,
                name="final measurement",
                hovertext=text,
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    title = f"time since the search began, {unit}" if over == "time" else "trials that have ended"
    return finish(
        figure,
        360,
        xaxis={"title": {"text": title}, "rangemode": "tozero"},
        yaxis={"title": {"text": "hypervolume (more is better)"}, "rangemode": "tozero"},
    )


def _unit(longest_s: float) -> tuple[float, str]:
    """In which unit of time so many seconds are drawn: how many seconds it has, and its name."""
    return (1.0, "s") if longest_s < 180 else (60.0, "min") if longest_s < 10800 else (3600.0, "h")
