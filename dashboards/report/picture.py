"""One figure of a study as a picture for a slide or a paper."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.figures.front_points import front_points
from dashboards.figures.hypervolume import hypervolume_figure
from dashboards.figures.importance import importance_figure
from dashboards.figures.measured_trials import measured_trials
from dashboards.figures.parallel_coordinates import parallel_coordinates_figure
from dashboards.figures.rungs import rungs_figure
from dashboards.figures.slices import slices_figure
from dashboards.figures.stage_tree import stage_tree_figure
from dashboards.figures.stage_tree import summary as stage_summary
from dashboards.figures.style import with_heading
from dashboards.figures.timeline import timeline, timeline_figure
from dashboards.figures.trade_offs import trade_offs_figure
from dashboards.report.front_picture import picture
from dashboards.report.picture_file import ENDINGS, check_picture_file, write_picture_file
from dashboards.report.sections import EMPTY_HISTORY
from dashboards.study_text import study_title
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Document = Mapping[str, Any]
FRONT = "front"
_FIGURES: dict[str, tuple[str, Callable[[Document], "Figure"]]] = {
    "hypervolume": ("Hypervolume over time", hypervolume_figure),
    "importance": ("Which choices mattered", importance_figure),
    "slices": ("Each choice alone", slices_figure),
    "parallel-coordinates": ("All choices together", parallel_coordinates_figure),
    "rungs": ("Who was stopped where", rungs_figure),
    "stage-tree": ("What trials shared", stage_tree_figure),
    "timeline": ("Where the time went", lambda document: timeline_figure(document.get("history") or EMPTY_HISTORY)),
    "trade-offs": ("Trade-offs", trade_offs_figure),
}
FIGURES = (FRONT, *_FIGURES)
"""The names of all figures."""


def check_picture(to: Path, name: str | None) -> None:
    """Raise `RequestError` where ``to`` is no picture, nothing here makes one, or no figure is called ``name``."""
    endings = f".html, .json, {', '.join(ENDINGS)}"
    check_picture_file(to, f"--to {to}: a report ends in one of {endings}")
    if name is not None and name not in FIGURES:
        raise RequestError(f"--figure {name}: allowed are {', '.join(FIGURES)}{did_you_mean(name, FIGURES)}")


def write_picture(document: Document, name: str | None, to: Path) -> None:
    """Write the figure called ``name``, or the front, with a heading of its own into ``to``.

    Raises:
        RequestError: The file cannot be written, or there is no browser that draws it.
    """
    write_picture_file(drawn(document, name), to)


def drawn(document: Document, name: str | None) -> "Figure":
    """The figure called ``name``, or the front, with a heading."""
    if name in (None, FRONT):
        return picture(front_points(document, measured_trials(document)))
    heading, make = _FIGURES[str(name)]
    below = ""
    if name == "timeline":
        below = timeline(document.get("history") or EMPTY_HISTORY).summary()
    elif name == "stage-tree":
        below = stage_summary(document)
    return with_heading(make(document), heading, [study_title(document), below])
