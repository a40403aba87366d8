"""The trade-off matrix: every two of three or more objectives against each other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboards.figures.axes import drawn_axis, objective_axes
from dashboards.figures.measured_trials import figure_of, kind_of, measured_trials
from dashboards.figures.style import BLUE, GREY, RED, empty, finish, hover_lines
from dashboards.formatting import choices_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MARKS = {
    "trial": ("other trials", {"color": GREY, "symbol": "circle-open", "size": 6, "opacity": 0.7}),
    "front": ("front", {"color": BLUE, "symbol": "circle", "size": 9}),
    "baseline": ("baseline", {"color": RED, "symbol": "diamond", "size": 10}),
}


def trade_offs_figure(document: Mapping[str, Any]) -> "Figure":
    """A panel for every two objectives; the columns are all but the last objective and the rows all but the first.

    Args:
        document: A front document with ``all`` its trials.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    axes, trials = objective_axes(document), measured_trials(document)
    if len(axes) < 3:
        return empty("The study has fewer than three objectives.")
    size = len(axes) - 1
    figure = make_subplots(size, size, horizontal_spacing=0.12, vertical_spacing=0.14)
    for row, vertical in enumerate(axes[1:], 1):
        for column, across in enumerate(axes[:row], 1):
            shown = [t for t in trials if None not in (figure_of(t, across), figure_of(t, vertical))]
            for kind, (name, marker) in _MARKS.items():
                of_kind = [trial for trial in shown if kind_of(trial, document) == kind]
                xs, ys = ([trial["measurement"][axis.name] for trial in of_kind] for axis in (across, vertical))
                texts = [
                    hover_lines(
                        f"trial {trial['trial']}",
                        [axis.interval_text(value, value, value) for axis, value in ((across, x), (vertical, y))],
                        choices_text(trial["configuration"]),
                    )
                    for trial, x, y in zip(of_kind, xs, ys, strict=True)
                ]
                once = {"legendgroup": kind, "showlegend": row == column == 1, "hovertext": texts, "hoverinfo": "text"}
                figure.add_trace(go.Scatter(x=xs, y=ys, mode="markers", marker=marker, name=name, **once), row, column)
            for axis, update in ((across, figure.update_xaxes), (vertical, figure.update_yaxes)):
                update(drawn_axis(axis, [t["measurement"][axis.name] for t in shown]), row=row, col=column)
    figure.update_xaxes(title_font_size=12)
    figure.update_yaxes(title_font_size=12)
    return finish(figure, 120 + 300 * size)
