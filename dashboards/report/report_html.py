"""The report of a study: one HTML page with everything that is known of it."""

from collections.abc import Mapping
from typing import Any

from dashboards.baseline_text import runtime_alone_text
from dashboards.headline import headline
from dashboards.report.front_page import sentence
from dashboards.report.page import escaped, page
from dashboards.report.sections import sections
from dashboards.study_text import status_notes, study_name, study_title, where_text


def report_html(document: Mapping[str, Any]) -> str:
    """The page; it works without a network, and about 4.8 MB of it are Plotly itself.

    Args:
        document: What `search.explain.report_document` gives, with ``commands`` where these are known. The front
            document with ``all`` its trials is enough; what is missing is said to be so.
    """
    parts = list(sections(document))
    title = study_title(document)
    links = "".join(f'<a href="#{part.name}">{escaped(part.heading)}</a>' for part in parts)
    notes = "".join(f'<p class="warning">{escaped(note)}</p>\n' for note in status_notes(document))
    head = (
        f'<h1>{escaped(study_name(document))}</h1>\n<p class="soft">{escaped(where_text(document))}</p>\n'
        f'<p class="lead">{escaped(sentence(headline(document)))}</p>\n'
        f"<p>{escaped(sentence(runtime_alone_text(document)))}</p>\n{notes}<nav>{links}</nav>\n"
    )
    body = "".join(
        f'<section id="{part.name}"><h2>{escaped(part.heading)}</h2>\n{part.html}</section>\n' for part in parts
    )
    return page(title, head + body, {name: figure for part in parts for name, figure in part.figures.items()})
