"""The figure of the front as a page of its own: what MLflow keeps as ``front.html``."""

from dashboards.figures.front_figure import draw
from dashboards.figures.front_points import FrontPoints
from dashboards.report.page import escaped, page, placeholder


def figure_html(points: FrontPoints) -> str:
    """One HTML page that fits any window and needs no network; about 5 MB, mostly Plotly itself."""
    figure = draw(points)
    body = (
        f'<h1>{escaped(points.title)}</h1>\n<p class="lead">{escaped(sentence(points.subtitle))}</p>\n'
        + (f"<p>{escaped(sentence(points.runtime_alone_text))}</p>\n" if points.runtime_alone_text else "")
        + placeholder("front", figure, points.subtitle)
        + '<p class="soft">Point at a dot to see its whole configuration. Bars are 95 % intervals.</p>'
    )
    return page(points.title, body, {"front": figure})


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""
