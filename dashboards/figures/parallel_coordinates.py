"""Parallel coordinates: each trial is a line through its choices and what was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards.figures.axes import Axis, objective_axes
from dashboards.figures.measured_trials import (
    Trial,
    choices_by_importance,
    figure_of,
    kind_of,
    measured_trials,
    value_text,
    varied_choices,
)
from dashboards.figures.style import BLUE, FAINT, GREY, INK, RED, empty, finish, safe, translucent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_CHOICES = 14
_ROW_PX = 62
_LABELS = 7
"""Values that are written along one row."""


@dataclass(frozen=True)
class _Row:
    """One of the parallel axes: where each trial is on it, from 0 to 1, and which values are written there."""

    name: str
    places: Mapping[int, float]
    labels: Sequence[tuple[float, str]]


def parallel_coordinates_figure(document: Mapping[str, Any]) -> "Figure":
    """A row for each choice with several values, then one for each objective; a line from top to bottom is a trial.

    Rows stand below each other, so that names and values can be read on a narrow screen too. The better end of an
    objective is on the right.

    Args:
        document: A front document with ``all`` its trials.
    """
    import plotly.graph_objects as go

    trials = measured_trials(document)
    choices = list(varied_choices(trials, choices_by_importance(document)).items())[:MOST_CHOICES]
    if not choices:
        return empty("No choice has several values among the measured trials.")
    rows = [_choice_row(name, values, trials) for name, values in choices]
    rows += [_objective_row(axis, trials) for axis in objective_axes(document)]
    alpha = max(0.12, min(0.7, 12 / len(trials)))
    members = sum(kind_of(trial, document) == "front" for trial in trials)
    styles = {
        "trial": ("other trials", {"color": translucent(GREY, alpha), "width": 1.2}),
        "front": ("front", {"color": translucent(BLUE, max(0.3, min(0.85, 10 / (members or 1)))), "width": 2.4}),
        "baseline": ("baseline", {"color": RED, "width": 2.4, "dash": "dash"}),
    }
    figure = go.Figure()
    for row in range(len(rows)):
        figure.add_shape(type="line", x0=0, x1=1, y0=row, y1=row, line={"color": FAINT, "width": 1}, layer="below")
    for kind, (name, line) in styles.items():
        of_kind = [trial for trial in trials if kind_of(trial, document) == kind]
        xs, ys, texts = _lines(of_kind, rows)
        figure.add_trace(
            go.Scatter(
                x=xs,
                y=ys,
                mode="lines",
                line=line,
                name=f"{name} ({len(of_kind)})" if kind == "trial" else name,
                hovertext=texts,
                hoverinfo="text",
            )
        )
    written = [(place, row, text) for row, one in enumerate(rows) for place, text in one.labels]
    for place, row, text in written:  # annotations, as these have a ground of their own on lines
        figure.add_annotation(
            x=place,
            y=row,
            text=safe(text),
            showarrow=False,
            yanchor="bottom",
            yshift=3,
            bgcolor="rgba(255,255,255,0.8)",
            borderpad=1,
            font={"size": 12, "color": INK},
        )
    names = {"tickvals": list(range(len(rows))), "ticktext": [safe(row.name) for row in rows], "showgrid": False}
    return finish(
        figure,
        120 + _ROW_PX * len(rows),
        xaxis={"visible": False, "range": [-0.08, 1.1]},
        yaxis={**names, "range": [len(rows) - 0.6, -0.7], "showline": False, "ticks": ""},
    )


def _lines(trials: Sequence[Trial], rows: Sequence[_Row]) -> tuple[list[Any], list[Any], list[Any]]:
    """The lines of ``trials`` one behind the other, with a gap after each."""
    xs, ys, texts = list[Any](), list[Any](), list[Any]()
    for trial in trials:
        number = trial["trial"]
        passed = [(row.places[number], place) for place, row in enumerate(rows) if number in row.places]
        xs += [*(x for x, _ in passed), None]
        ys += [*(y for _, y in passed), None]
        texts += [*[f"trial {number}"] * len(passed), None]
    return xs, ys, texts


def _choice_row(name: str, values: Sequence[Any], trials: Sequence[Trial]) -> _Row:
    place = {value: index / (len(values) - 1) for index, value in enumerate(values)}
    places = {t["trial"]: place[t["configuration"][name]] for t in trials if name in t["configuration"]}
    every = math.ceil((len(values) - 1) / (_LABELS - 1))
    shown = [value for index, value in enumerate(values) if index % every == 0]
    return _Row(name, places, [(place[value], value_text(value)) for value in shown])


def _objective_row(axis: Axis, trials: Sequence[Trial]) -> _Row:
    known = {t["trial"]: value for t in trials if (value := figure_of(t, axis)) is not None}
    scaled = {n: math.log(value) for n, value in known.items()} if axis.is_logarithmic([*known.values()]) else known
    low, high = min(scaled.values(), default=0.0), max(scaled.values(), default=0.0)
    spread = high - low

    def place(value: float) -> float:
        share = (value - low) / spread if spread else 0.5
        return share if axis.better > 0 else 1 - share

    ends = {
        place(scaled[n]): axis.text(known[n])
        for n in sorted(scaled, key=scaled.__getitem__)[:: max(1, len(scaled) - 1)]
    }
    return _Row(axis.label or axis.name, {n: place(value) for n, value in scaled.items()}, list(ends.items()))
