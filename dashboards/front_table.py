"""The front as a table for a terminal, whatever its width."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboards.front_document import (
    Document,
    Row,
    fastest_within,
    front_rows,
    interval_text,
    objective_columns,
    percent,
    resolution,
    times,
)


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes:
        title: Its heading.
        cell: The text that it shows of a row.
        rank: How dear it is; where the terminal is narrow, the highest rank goes first.
        optional: Whether it is left out where it has nothing to show.
        below: What it is called in a line below the table, where there is no room for it; without a name it just goes.
    """

    title: str
    cell: Callable[[Row], str]
    rank: int
    optional: bool = False
    below: str = ""


def _number(name: str, digits: int) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else f"{row[name]:,.{digits}f}"


def _percents(row: Row) -> str:
    low, high = row["accuracy_low"], row["accuracy_high"]
    return "" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}"


def _ties(row: Row) -> str:
    """``= 8, 12``; of many, the first ones and how many more."""
    numbers = row["ties"].split()
    more = f" +{len(numbers) - _TIES}" if len(numbers) > _TIES else ""
    return f"= {', '.join(numbers[:_TIES])}{more}" if numbers else ""


def _searched(row: Row) -> str:
    return "" if row["speedup_searched"] is None else f"{times(row['speedup_searched'])}x"


def _trained(row: Row) -> str:
    return percent(row["accuracy_train"])


_TIES = 2
FIGURES = (
    Column("trial", lambda row: f"{'! ' if row['unstable'] else ''}{row['trial']}", 0),
    Column("ties", _ties, 2, optional=True),
    Column("speedup", lambda row: f"{times(row['speedup'])}x", 0),
    Column("95 %", lambda row: interval_text(row["speedup_low"], row["speedup_high"]), 3),
    Column("in search", _searched, 8, optional=True, below="speedup in the search (of trial)"),
    Column("train", _trained, 9, optional=True, below="accuracy on training data (of trial)"),
    Column("accuracy", lambda row: percent(row["accuracy"]), 0),
    Column("95 %", _percents, 7),
    Column("test", lambda row: percent(row["accuracy_test"]), 4),
    Column("p50 ms", _number("latency_p50_ms", 2), 5),
    Column("MiB", _number("size_mib", 2), 10),
    Column("per s", _number("throughput_per_s", 0), 11),
)
CHOICES = Column("configuration", lambda row: row["configuration"], 1)
_OBJECTIVE_RANK = 6
_COMFORT_RANK = 6  # from this rank on, a column is worth less than two choices beside each other
_COMFORT_WIDTH = 42
_GAP = 2


def render(document: Document, width: int | None = None) -> Table:
    """The front as a table: the baseline first, then the fastest first.

    Args:
        document: The front document.
        width: Room for it in characters; the terminal's where it is not given. Where it is too narrow for all
            columns, the lesser ones are left out. Only the choices may take several lines, one choice never does.

    The fastest within one accuracy point of the baseline stands out.
    """
    rows = front_rows(document)
    room = Console(stderr=False).width if width is None else width
    return _table(document, rows, columns_for(document, rows, room))


def columns_for(document: Document, rows: list[Row], room: int) -> list[Column]:
    """The columns that fit into ``room`` characters, the dearest at least."""
    objectives = [
        Column(name, lambda row, name=name: _quantity(row[name]), _OBJECTIVE_RANK)  # type: ignore[misc]
        for name in objective_columns(document)
    ]
    figures = [column for column in FIGURES if not column.optional or any(map(column.cell, rows))]
    columns = [*figures, *objectives, CHOICES]
    for rank in sorted({column.rank for column in columns}, reverse=True):
        comfort = _COMFORT_WIDTH if rank >= _COMFORT_RANK else 0
        if rank == 0 or sum(_room(column, rows, comfort) for column in columns) - _GAP <= room:
            break
        columns = [column for column in columns if column.rank < rank]
    return columns


def _room(column: Column, rows: list[Row], comfort: int) -> int:
    """What a column takes with the gap after it: its longest cell, or of the choices the longest one."""
    cells = [column.cell(row) for row in rows]
    longest = max(map(len, [column.title, *cells]))
    if column is CHOICES:
        words = max(len(word) for cell in [column.title, *cells] for word in cell.split())
        longest = max(words, min(longest, comfort))
    return longest + _GAP


def _table(document: Document, rows: list[Row], columns: list[Column]) -> Table:
    title = f"{document['study']}: {document.get('workload', '')}, {_trials(document)}"
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=escape(title),
        caption=escape("\n".join([*_left_out(rows, columns), *_doubts(document, rows)])) or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="",
    )
    for column in columns:
        right = column is not CHOICES
        table.add_column(escape(column.title), justify="right" if right else "left", no_wrap=right)
    best = fastest_within(document)
    for row in rows:
        style = "dim" if row["configuration"] == "baseline" else ""
        style = "bold green" if best and row["trial"] == best["trial"] else style
        table.add_row(*[escape(column.cell(row)) for column in columns], style=style)
    return table


def _trials(document: Document) -> str:
    """How many trials there were, and how many of them came to nothing."""
    vain = {"stopped early": "stopped", "failed": "failed", "measured and infeasible": "infeasible"}
    parts = [f"{document[name]} {words}" for words, name in vain.items() if document.get(name)]
    return f"{document['trials']} trials" + (f" ({', '.join(parts)})" if parts else "")


def _left_out(rows: list[Row], columns: list[Column]) -> Iterator[str]:
    """The lines that stand for columns without room: whoever judges a front must see how it looked elsewhere."""
    for column in FIGURES:
        figures = [f"{cell} ({row['trial']})" for row in rows if (cell := column.cell(row))]
        if column.below and column not in columns and figures:
            yield f"{column.below}: {', '.join(figures)}"


def _doubts(document: Document, rows: list[Row]) -> Iterator[str]:
    """The lines below the table: whom not to trust, what was not measured, and what differences not to believe."""
    yield from (f"! trial {r['trial']} is not to be trusted: {r['unstable']}" for r in rows if r["unstable"])
    finished, doubt = document.get("status") == "finished", document.get("resolution_doubt")
    if finished and document["front"] and not any(member.get("searched") for member in document["front"]):
        yield f"the figures are those of the search; `frontrunner resume {document['study']}` measures the front anew"
    share = 100 * resolution(document)
    if share > 0:
        smallest = f"{share:.1f}" if share >= 0.1 else f"{share:.1g}"
        reasons = "; ".join(filter(None, ("the baseline against itself", doubt)))
        yield f"differences in speed below {smallest} % are not believed ({reasons})"
    elif finished and document.get("resolution") is None:
        unknown = "how small a difference may be believed is not known: the baseline could not be timed against itself"
        yield f"{unknown} ({doubt})" if doubt else unknown


def _quantity(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
