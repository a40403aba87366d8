"""The front as HTML for a notebook: the headline, the table, and the notes below it."""

import html

from dashboards.baseline_text import baseline_text
from dashboards.front_rows import Document, front_rows
from dashboards.front_table import CONFIGURATION, Column, all_columns, notes
from dashboards.headline import fastest_within, headline

_CELL = "text-align:{side};padding:2px 8px;white-space:nowrap"


def front_html(document: Document) -> str:
    """A piece of a page, without scripts and without links; all columns of the table on a terminal are shown."""
    rows, best = front_rows(document), fastest_within(document)
    columns = [column for column in all_columns(document) if not column.optional or any(map(column.cell, rows))]
    heads = "".join(f"<th style='{_style(column)}'>{_safe(column.title)}</th>" for column in columns)
    lines = []
    for row in rows:
        mark = ";font-weight:bold" if best and row["trial"] == best["trial"] else ""
        cells = (f"<td style='{_style(column)}{mark}'>{_safe(column.cell(row))}</td>" for column in columns)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    baseline = f"<br>baseline: {_safe(baseline_text(document['baseline']))}" if document.get("baseline") else ""
    below = "".join(f"<br>{_safe(note)}" for note in notes(document, rows))
    return (
        f"<div><b>{_safe(document['study'])}</b>: {_safe(headline(document))}{baseline}"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f"<small>{below.removeprefix('<br>')}</small></div>"
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=False)


def _style(column: Column) -> str:
    return _CELL.format(side="left" if column.title == CONFIGURATION.title else "right")
