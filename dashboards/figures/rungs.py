"""The rungs of early stopping: how accurate each trial was while it was trained, and who was stopped where."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dashboards.figures.measured_trials import front_trials
from dashboards.figures.style import BLUE, GREY, RED, empty, finish, safe, translucent
from runners.metric import QualityMetric

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def rungs_figure(document: Mapping[str, Any]) -> "Figure":
    """A line for each trained trial, through the quality that it had at each rung; a cross is where it was stopped.

    Args:
        document: A report document: the front document with its ``history``.
    """
    import plotly.graph_objects as go

    trained = [trial for trial in document.get("history", {}).get("trials", ()) if trial["accuracies"]]
    if not trained:
        return empty("No trial was trained in levels, so none could be stopped at a rung.")
    members = front_trials(document)
    stopped = [trial for trial in trained if trial["state"] == "stopped"]
    front = [trial for trial in trained if trial["trial"] in members]
    others = [trial for trial in trained if trial not in stopped and trial not in front]
    scale = 100.0 if QualityMetric.of_front(document).is_fraction else 1.0
    alpha = max(0.2, min(0.8, 20 / len(trained)))
    figure = go.Figure()
    for name, of_kind, colour, width, dash in (
        ("stopped", stopped, translucent(GREY, alpha), 1.2, "dot"),
        ("trained to the end", others, translucent(GREY, alpha), 1.4, "solid"),
        ("front", front, translucent(BLUE, max(0.35, min(1.0, 6 / (len(front) or 1)))), 2.0, "solid"),
    ):
        if of_kind:
            xs, ys, texts = _lines(of_kind, scale)
            style = {"line": {"color": colour, "width": width, "dash": dash}, "marker": {"size": 5}}
            label, hover = f"{name} ({len(of_kind)})", {"hovertext": texts, "hoverinfo": "text"}
            figure.add_trace(go.Scatter(x=xs, y=ys, mode="lines+markers", name=label, **style, **hover))
    if stopped:
        ends = [(trial["trial"], *max(_accuracies(trial))) for trial in stopped]
        figure.add_trace(
            go.Scatter(
                x=[epochs for _, epochs, _ in ends],
                y=[scale * accuracy for *_, accuracy in ends],
                mode="markers",
                marker={"symbol": "x", "size": 10, "color": RED, "line": {"width": 1.2, "color": "white"}},
                name="stopped here",
                hovertext=[f"trial {number} was stopped after {epochs} epochs" for number, epochs, _ in ends],
                hoverinfo="text",
            )
        )
    metric = QualityMetric.of_front(document)
    unit = f", {'%' if metric.is_fraction else metric.shown_unit}".removesuffix(", ")
    levels = sorted({epochs for trial in trained for epochs, _ in _accuracies(trial)})
    ticks = {"tickvals": levels[:: max(1, len(levels) // 12)]}
    return finish(
        figure,
        420,
        xaxis={"title": {"text": "epochs trained"}, **ticks},
        yaxis={"title": {"text": f"{safe(metric.name)} on the validation split{safe(unit)}"}},
    )


def _accuracies(trial: Mapping[str, Any]) -> list[tuple[int, float]]:
    """The quality by epochs trained; as JSON the epochs are text."""
    return sorted((int(epochs), accuracy) for epochs, accuracy in trial["accuracies"].items())


def _lines(trials: Sequence[Mapping[str, Any]], scale: float) -> tuple[list[Any], list[Any], list[Any]]:
    """The lines of ``trials`` one behind the other, with a gap after each."""
    xs, ys, texts = list[Any](), list[Any](), list[Any]()
    for trial in trials:
        reached = _accuracies(trial)
        xs += [*(epochs for epochs, _ in reached), None]
        ys += [*(scale * accuracy for _, accuracy in reached), None]
        texts += [*(f"trial {trial['trial']}, {epochs} epochs: {accuracy:.4g}" for epochs, accuracy in reached), None]
    return xs, ys, texts
