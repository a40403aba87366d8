"""How much each choice mattered for speed and for accuracy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboards.figures.measured_trials import choices_by_importance
from dashboards.figures.style import BLUE, INK, ORANGE, empty, finish, safe

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def importance_figure(document: Mapping[str, Any]) -> "Figure":
    """A pair of bars for each choice: the share of the variance of speed and of accuracy that it explains alone.

    The thin lines show how far the shares rest on single trials: they span the shares found again on resampled trials.

    Args:
        document: A report document: the front document with its ``importance``.
    """
    import plotly.graph_objects as go

    found, names = document.get("importance", {}), choices_by_importance(document)
    if not names:
        return empty("Nothing differs between the measured trials, so no choice is more important than another.")
    quality = document.get("metric") or "accuracy"
    figure = go.Figure()
    for quantity, name, colour, pattern in (("speed", "speed", BLUE, ""), ("accuracy", quality, ORANGE, "/")):
        choices = found.get(quantity, {}).get("choices", {})
        shares = [choices[one]["share"] if one in choices else None for one in names]
        ends = [choices[one]["range"] if one in choices else (0.0, 0.0) for one in names]
        values = [100 * (share or 0.0) for share in shares]
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, 100 * high - value) for (_, high), value in zip(ends, values, strict=True)],
            "arrayminus": [max(0.0, value - 100 * low) for (low, _), value in zip(ends, values, strict=True)],
            "color": INK,
            "thickness": 1,
            "width": 3,
        }
        figure.add_trace(
            go.Bar(
                orientation="h",
                y=[safe(one) for one in names],
                x=values,
                error_x=bars,
                name=safe(name),
                marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": "white"}},
                hovertemplate="%{y}: %{x:.0f} %<extra>" + safe(name) + "</extra>",
            )
        )
    return finish(
        figure,
        130 + 44 * len(names),
        barmode="group",
        bargap=0.3,
        xaxis={"title": {"text": "share of the variance that the choice explains alone, %"}, "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
    )
