"""Two fronts in one figure and a table, as a page of its own."""

from collections.abc import Mapping
from typing import Any

from dashboards.figures.axes import front_axes
from dashboards.figures.front_line import front_line
from dashboards.figures.overlay import FrontDot, overlay_figure
from dashboards.formatting import quality_text, times
from dashboards.report.comparison_table import against, verdict
from dashboards.report.front_page import sentence
from dashboards.report.page import escaped, page, placeholder
from dashboards.report.tables import table
from runners.metric import QualityMetric


def comparison_html(document: Mapping[str, Any]) -> str:
    """The page of a comparison, as `search.front.comparison.compare` gives it."""
    x, y = front_axes(document)
    metric = QualityMetric.of_front(document)
    dots, rows = {}, []
    for front in document["fronts"]:
        shown = [m for m in front["members"] if m["measurement"].keys() >= {x.name, y.name}]
        spans = [(one["member"], _span(one, x.name), _span(one, y.name)) for one in shown]
        line = front_line([(across[0], up[0]) for _, across, up in spans], x, y)
        dots[front["name"]] = [
            FrontDot(name, across, up, line=(across[0], up[0]) in line) for name, across, up in spans
        ]
        for one in front["members"]:
            speed, accuracy = one["measurement"].get("speedup"), one["measurement"].get("accuracy")
            speed_text = f"{times(speed)}x" if speed else ""
            rows.append([front["name"], one["member"], speed_text, quality_text(accuracy, metric), against(one)])
    figure = overlay_figure(dots, x, y)
    title = " and ".join(dots)
    volumes = ", ".join(f"{front['name']} {front['hypervolume']:.4f}" for front in document["fronts"])
    heads = [("front", True), ("member", True), ("speedup", False), (metric.name, False), ("against the other", True)]
    body = (
        f"<h1>{escaped(title)}</h1>\n<p class='lead'>{escaped(sentence(verdict(document)))}</p>\n"
        f"<p>{escaped(f'Hypervolume at one reference point: {volumes}.')}</p>\n"
        + "".join(f"<p class='warning'>{escaped(sentence(note))}</p>\n" for note in document["notes"])
        + placeholder("fronts", figure, title)
        + table(heads, rows)
    )
    return page(title, body, {"fronts": figure})


def _span(member: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    value = member["measurement"][name]
    low, high = member["measurement"].get(f"{name}_ci95") or (value, value)
    return value, low, high
