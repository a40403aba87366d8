"""Two fronts against each other, as tables for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from dashboards.formatting import interval_text, quality_text, times
from runners.metric import QualityMetric

Document = Mapping[str, Any]
_SHOWN = 3


def print_comparison(console: Console, document: Document) -> None:
    """Print who beats whom, which front is faster at which quality, and the verdict, within 80 columns."""
    metric = QualityMetric.of_front(document)
    for front in document["fronts"]:
        name, volume = escape(front["name"]), f"hypervolume {front['hypervolume']:.4f}"
        console.print(f"\n[bold]{name}[/bold], {volume}", highlight=False)
        table = _table(("member", "speedup", "95 %", metric.name), "against the other")
        for member in front["members"]:
            table.add_row(*(escape(cell) for cell in (*_figures(member, metric), against(member))))
        console.print(table)
    if document["where"]:
        console.print("\n[bold]the fastest that is at least so good[/bold]", highlight=False)
        where = _table((metric.name, *(front["name"] for front in document["fronts"])), "faster")
        for entry in document["where"]:
            fastest = [_fastest(*pair) for pair in zip(entry["fastest"], entry["speedup"], strict=True)]
            cells = (quality_text(entry["accuracy"], metric), *fastest, entry["faster"] or "cannot be told")
            where.add_row(*map(escape, cells))
        console.print(where)
    console.print(f"\n{verdict(document)}", style="bold", highlight=False, markup=False)
    for note in document["notes"]:
        console.print(note, highlight=False, markup=False)


def _table(numbers: Sequence[str], last: str) -> Table:
    """A table without lines, whose columns are numbers but for the last."""
    columns = [Column(escape(title), justify="right") for title in numbers]
    return Table(*columns, last, box=None, header_style="bold")


def against(member: Document) -> str:
    """``beaten by 3, 7``, ``tied with 4``, or ``not beaten``."""
    if member["beaten_by"]:
        return f"beaten by {_some(member['beaten_by'])}"
    return f"tied with {_some(member['tied'])}" if member["tied"] else "not beaten"


def verdict(document: Document) -> str:
    """Who beats how many of whom, in a sentence each."""
    sentences = []
    for front, other in zip(document["fronts"], reversed(document["fronts"]), strict=True):
        beaten = sum(bool(member["beaten_by"]) for member in front["members"])
        sentences.append(f"{other['name']} beats {beaten} of {len(front['members'])} members of {front['name']}")
    return "; ".join(sentences)


def _figures(member: Document, metric: QualityMetric) -> list[str]:
    figures = member["measurement"]
    speed, quality = figures.get("speedup"), quality_text(figures.get("accuracy"), metric)
    interval = interval_text(*(figures.get("speedup_ci95") or (None, None)))
    return [member["member"], f"{times(speed)}x" if speed else "", interval, quality]


def _fastest(member: str | None, speedup: float | None) -> str:
    return "none" if member is None or speedup is None else f"{times(speedup)}x ({member})"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
