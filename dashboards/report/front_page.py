"""The figure of the front as a page of its own: what MLflow keeps as ``front.html``."""

from dashboards.figures.front_figure import draw
from dashboards.figures.front_history import FrontHistory, draw_history
from dashboards.figures.front_points import FrontPoints
from dashboards.report.page import escaped, page, placeholder

HISTORY_HEADING = "The front through time"
HISTORY_CAPTION = (
    "Move the slider to see how the front advanced, as it was measured during the search. Trials far from it are "
    "outside; zoom out to see them."
)


def figure_html(points: FrontPoints, history: FrontHistory | None = None) -> str:
    """One HTML page that fits any window and needs no network; about 5 MB, mostly Plotly itself.

    Args:
        points: What the figure of the front shows.
        history: How the front advanced, for a figure with a slider below it; None draws none.
    """
    figure = draw(points)
    figures = {"front": figure}
    body = (
        f'<h1>{escaped(points.title)}</h1>\n<p class="lead">{escaped(sentence(points.subtitle))}</p>\n'
        + (f"<p>{escaped(sentence(points.runtime_alone_text))}</p>\n" if points.runtime_alone_text else "")
        + placeholder("front", figure, points.subtitle)
        + '<p class="soft">Point at a dot to see its whole configuration. Bars are 95 % intervals.</p>'
    )
    if history is not None and history.course:
        figures["history"] = draw_history(history)
        place = placeholder("history", figures["history"], HISTORY_HEADING)
        body += f'<h2>{HISTORY_HEADING}</h2>\n{place}\n<p class="soft">{escaped(HISTORY_CAPTION)}</p>\n'
    return page(points.title, body, figures)


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""
