"""Slices: what was measured at each value of each choice."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.figures.axes import Axis, drawn_axis, front_axes
from dashboards.figures.measured_trials import (
    Trial,
    choices_by_importance,
    figure_of,
    kind_of,
    measured_trials,
    value_text,
    varied_choices,
)
from dashboards.figures.style import BLUE, FAINT, GREY, RED, empty, finish, safe

if TYPE_CHECKING:
    from plotly.graph_objects import Box, Figure, Scatter

MOST_CHOICES = 12
"""Choices that are drawn, those that mattered most."""
_MANY = 150
"""From so many trials on, those off the front are drawn as boxes."""
_ROW_PX = 190
_MARKS = {
    "trial": {"color": GREY, "symbol": "circle-open", "size": 7},
    "front": {"color": BLUE, "symbol": "circle", "size": 9},
    "baseline": {"color": RED, "symbol": "diamond", "size": 9},
}
_NAMES = {"trial": "other trials", "front": "front", "baseline": "baseline"}


def slices_figure(document: Mapping[str, Any]) -> "Figure":
    """A row for each choice with several values: speed on the left, quality on the right, a column for each value.

    Args:
        document: A front document with ``all`` its trials.
    """
    from plotly.subplots import make_subplots

    trials = measured_trials(document)
    choices = dict(list(varied_choices(trials, choices_by_importance(document)).items())[:MOST_CHOICES])
    if not choices:
        return empty("No choice has several values among the measured trials.")
    axes = front_axes(document)
    figure = make_subplots(
        len(choices), 2, horizontal_spacing=0.11, vertical_spacing=min(0.12, 0.55 / len(choices)), shared_yaxes=False
    )
    for row, (name, values) in enumerate(choices.items(), 1):
        for column, axis in enumerate(axes, 1):
            for trace in _cell(document, trials, name, values, axis, shown=row == column == 1):
                figure.add_trace(trace, row=row, col=column)
            known = [value for trial in trials if (value := figure_of(trial, axis)) is not None]
            figure.update_yaxes({**drawn_axis(axis, known), "title": None}, row=row, col=column)
            order = {"type": "category", "categoryorder": "array", "categoryarray": [value_text(v) for v in values]}
            figure.update_xaxes(
                order, title={"text": safe(name), "font": {"size": 13}, "standoff": 4}, row=row, col=column
            )
    for column, axis in enumerate(axes, 1):
        place = {"xref": f"x{'' if column == 1 else column} domain", "x": 0, "xanchor": "left", "yshift": 24}
        better = "more" if axis.better > 0 else "less"
        text = f"<b>{safe(axis.label or axis.name)}</b>{', %' if axis.unit == 'fraction' else ''} ({better} is better)"
        figure.add_annotation(text=text, yref="paper", y=1, showarrow=False, **place)
    return finish(figure, 120 + _ROW_PX * len(choices), margin={"l": 50, "r": 16, "t": 50, "b": 60}, boxmode="overlay")


def _cell(
    document: Mapping[str, Any], trials: Sequence[Trial], name: str, values: Sequence[Any], axis: Axis, *, shown: bool
) -> list["Scatter | Box"]:
    """The traces of one choice and one quantity; ``shown`` in the legend."""
    import plotly.graph_objects as go

    having = [t for t in trials if name in t["configuration"] and figure_of(t, axis) is not None]
    by_kind: dict[str, list[Trial]] = {"trial": [], "front": [], "baseline": []}
    for trial in having:
        by_kind[kind_of(trial, document)].append(trial)
    traces: list[Any] = []
    if len(by_kind["trial"]) > _MANY:
        traces.append(_boxes(by_kind.pop("trial"), name, values, axis, shown=shown))
    for kind, of_kind in by_kind.items():
        texts = [f"trial {t['trial']}: {axis.text(t['measurement'][axis.name])}" for t in of_kind]
        traces.append(
            go.Scatter(
                x=[value_text(t["configuration"][name]) for t in of_kind],
                y=[figure_of(t, axis) for t in of_kind],
                mode="markers",
                marker=_MARKS[kind],
                name=_NAMES[kind],
                legendgroup=kind,
                showlegend=shown,
                hovertext=texts,
                hoverinfo="text",
            )
        )
    return traces


def _boxes(trials: Sequence[Trial], name: str, values: Sequence[Any], axis: Axis, *, shown: bool) -> "Box":
    """Quartiles, and the fifth and the ninety-fifth hundredth, at each value."""
    import numpy as np
    import plotly.graph_objects as go

    held: dict[Any, list[float]] = {value: [] for value in values}
    for trial in trials:
        held[trial["configuration"][name]].append(trial["measurement"][axis.name])
    cuts = {value: np.percentile(found, (5, 25, 50, 75, 95)).tolist() for value, found in held.items() if found}
    columns = list(zip(*cuts.values(), strict=True))
    return go.Box(
        x=[value_text(value) for value in cuts],
        **dict(zip(("lowerfence", "q1", "median", "q3", "upperfence"), columns, strict=True)),
        name=_NAMES["trial"],
        legendgroup="trial",
        showlegend=shown,
        line={"color": GREY, "width": 1.2},
        fillcolor=FAINT,
    )
