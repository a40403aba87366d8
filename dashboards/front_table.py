"""The front as a table for a terminal of any width."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rich import box
from rich.markup import escape
from rich.table import Table

from dashboards.baseline_text import baseline_text, runtime_alone_text, throughput_text
from dashboards.formatting import interval_text, quality_number, quality_text, times
from dashboards.front_rows import Document, Row, front_rows, objective_columns, resolution
from dashboards.headline import fastest_within
from runners.metric import QualityMetric
from spaces.setting_error import in_short


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes:
        title: Its heading.
        cell: The text that it shows of a row.
        rank: How soon it is left out where the terminal is narrow: the highest rank first, 0 never.
        optional: Whether it is left out where all its cells are empty.
        below: Its name in a line below the table, which replaces it where there is no room; empty for none.
        quantity: The measured quantity that it shows; where that is an objective, it is left out late.
    """

    title: str
    cell: Callable[[Row], str]
    rank: int
    optional: bool = False
    below: str = ""
    quantity: str = ""


def _number(name: str, digits: int, scale: float = 1) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else f"{scale * row[name]:,.{digits}f}"


def _gap(name: str, metric: QualityMetric) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else quality_number(row[name], metric)


def _accuracy_interval(metric: QualityMetric) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        low, high = row["accuracy_low"], row["accuracy_high"]
        return "" if low is None or high is None else f"{quality_number(low, metric)}-{quality_number(high, metric)}"

    return cell


def _drop(metric: QualityMetric) -> Callable[[Row], str]:
    """``0.3 (-0.4 to 1.1)``: accuracy points or the metric's own unit, where the interval is known."""

    def cell(row: Row) -> str:
        low, high = row["accuracy_drop_low"], row["accuracy_drop_high"]
        if low is None or high is None:
            return ""
        lost, *ends = (quality_number(value, metric) for value in (row["accuracy_drop"], low, high))
        return f"{lost} ({' to '.join(ends)})"

    return cell


def _accuracy(name: str, metric: QualityMetric) -> Callable[[Row], str]:
    return lambda row: quality_text(row[name], metric)


def _ties(row: Row) -> str:
    """``8, 12``; of many ties the first ones and how many more there are."""
    numbers = row["ties"].split()
    if len(numbers) > _SHOWN_TIES + 1:
        return f"{', '.join(numbers[:_SHOWN_TIES])} and {len(numbers) - _SHOWN_TIES} more"
    return ", ".join(numbers)


def _searched(row: Row) -> str:
    return "" if row["speedup_searched"] is None else f"{times(row['speedup_searched'])}x"


_SHOWN_TIES = 2
_LONGEST_NAME = 24


def _columns(metric: QualityMetric) -> tuple[Column, ...]:
    """The columns of a table whose accuracies are those of ``metric``, without the configuration."""
    name = in_short(metric.name, _LONGEST_NAME)
    lost = "points lost (95 %)" if metric.is_fraction else f"{metric.shown_unit} lost (95 %)".lstrip()
    below = f"{name} on training data (of trial)"
    return (
        Column("trial", lambda row: f"{'! ' if row['unstable'] else ''}{row['trial']}", 0),
        Column("tied with", _ties, 2, optional=True),
        Column("speedup", lambda row: f"{times(row['speedup'])}x", 0),
        Column("95 %", lambda row: interval_text(row["speedup_low"], row["speedup_high"]), 3),
        Column("in search", _searched, 8, optional=True, below="speedup in the search (of trial)"),
        Column("train", _accuracy("accuracy_train", metric), 9, optional=True, below=below),
        Column(name, _accuracy("accuracy", metric), 0),
        Column("95 %", _accuracy_interval(metric), 8),
        Column(lost, _drop(metric), 7, optional=True),
        Column("test", _accuracy("accuracy_test", metric), 4),
        Column("p50 ms", _number("latency_p50_ms", 2), 5),
        Column("MiB", _number("size_mib", 2), 10, quantity="size_mib"),
        Column("per s", _number("throughput_per_s", 0), 11, quantity="throughput_per_s"),
        Column("s to lower", _number("lowering_seconds", 1), 12, True, quantity="lowering_seconds"),
        Column("s to train", _number("train_seconds", 1), 13, True, quantity="train_seconds"),
        Column("ms to load", _number("load_ms", 0), 14, True, quantity="load_ms"),
        Column("MMAC", _number("macs", 3, 1e-6), 15, True, quantity="macs"),
        Column("weights", _number("parameters", 0), 15, True, quantity="parameters"),
        Column("gap", _gap("gap_test", metric), 16, optional=True),
    )


CONFIGURATION = Column("configuration", lambda row: row["configuration"], 1)
_OBJECTIVE_RANK = 6
_WIDE_RANK = 6
_WIDE = 42
"""Columns of `_WIDE_RANK` and above are left out before the configuration gets fewer characters than this."""
_GAP = 2


def render(document: Document, width: int, resume: str = "") -> Table:
    """The front as a table of at most ``width`` characters: the baseline first, then the fastest first.

    Where not all columns fit, those of the highest rank are left out. Only configurations can take several lines, and
    one choice is never broken. The fastest member that is nearly as accurate as the baseline, as `dashboards.headline`
    says it, is printed in bold.

    Args:
        document: The front document.
        width: The number of characters.
        resume: The command that continues the study; empty for the one with default locations.
    """
    rows = front_rows(document)
    return _table(document, rows, _fitting_columns(document, rows, width), resume)


def _fitting_columns(document: Document, rows: list[Row], width: int) -> list[Column]:
    """The columns that fit into ``width`` characters; those of rank 0 in any case."""
    columns = [column for column in all_columns(document) if not column.optional or any(map(column.cell, rows))]
    for rank in sorted({column.rank for column in columns} - {0}, reverse=True):
        wanted = _WIDE if rank >= _WIDE_RANK else 0
        if sum(_width(column, rows, wanted) for column in columns) - _GAP <= width:
            break
        columns = [column for column in columns if column.rank < rank]
    return columns


def all_columns(document: Document) -> list[Column]:
    """Every column of the table of ``document``, whether or not there is room."""
    objectives = {objective["name"] for objective in document.get("objectives", ())}
    columns = [
        replace(column, rank=_OBJECTIVE_RANK) if column.quantity in objectives else column
        for column in _columns(QualityMetric.of_front(document))
    ]
    others = [
        Column(name, lambda row, name=name: _quantity(row[name]), _OBJECTIVE_RANK)  # type: ignore[misc]
        for name in objective_columns(document)
    ]
    return [*columns, *others, CONFIGURATION]


def _width(column: Column, rows: list[Row], wanted: int) -> int:
    """The characters that a column needs with the gap after it.

    The configuration needs only its longest choice, and ``wanted`` characters where it has as many.
    """
    cells = [column.title, *map(column.cell, rows)]
    longest = max(map(len, cells))
    if column is CONFIGURATION:
        choice = max(len(word) for cell in cells for word in cell.split())
        longest = max(choice, min(longest, wanted))
    return longest + _GAP


def _table(document: Document, rows: list[Row], columns: list[Column], resume: str) -> Table:
    title = f"{document['study']}: {document.get('workload', '')}, {_trials(document)}"
    if document.get("baseline"):
        title += f"\nbaseline: {baseline_text(document['baseline'])}"
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=escape(title),
        caption=escape("\n".join([*_left_out(document, rows, columns), *notes(document, rows, resume)])) or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="",
    )
    for column in columns:
        is_number = column is not CONFIGURATION
        table.add_column(escape(column.title), justify="right" if is_number else "left", no_wrap=is_number)
    best = fastest_within(document)
    for row in rows:
        style = "dim" if row["configuration"] == "baseline" else ""
        style = "bold green" if best and row["trial"] == best["trial"] else style
        table.add_row(*[escape(column.cell(row)) for column in columns], style=style)
    return table


def _trials(document: Document) -> str:
    """The number of trials, and how many of them were stopped, failed or are infeasible."""
    counts = {"stopped early": "stopped", "failed": "failed", "measured and infeasible": "infeasible"}
    parts = [f"{document[name]} {words}" for words, name in counts.items() if document.get(name)]
    return f"{document['trials']} trials" + (f" ({', '.join(parts)})" if parts else "")


def _left_out(document: Document, rows: list[Row], columns: list[Column]) -> Iterator[str]:
    """The lines below the table that replace columns without room."""
    shown = {column.title for column in columns}
    for column in _columns(QualityMetric.of_front(document)):
        cells = [f"{cell} ({row['trial']})" for row in rows if (cell := column.cell(row))]
        if column.below and column.title not in shown and cells:
            yield f"{column.below}: {', '.join(cells)}"


def notes(document: Document, rows: list[Row], resume: str = "") -> Iterator[str]:
    """The lines below the table: what the runtime alone gives, how the baseline is served, unstable trials, a missing
    final measurement, and the resolution of speeds.
    """
    throughput = throughput_text(document["baseline"]) if document.get("baseline") else ""
    yield from filter(None, [runtime_alone_text(document), throughput])
    yield from _doubts(rows)
    resume = resume or f"frontrunner resume {document['study']}"
    finished, doubt = document.get("status") == "finished", document.get("resolution_doubt")
    everything = document.get("everything")
    if (
        finished
        and document["front"]
        and not everything
        and not any(member.get("searched") for member in document["front"])
    ):
        yield f"measured during the search only; `{resume}` measures the front again"
    share = 100 * resolution(document)
    if share > 0:
        smallest = f"{share:.1f}" if share >= 0.1 else f"{share:.1g}"
        reasons = "; ".join(filter(None, ("the baseline timed against itself", doubt)))
        yield f"differences in speed below {smallest} % are not significant ({reasons})"
    elif finished and document.get("resolution") is None:
        unknown = "the smallest significant difference in speed is unknown: the baseline was not timed against itself"
        yield f"{unknown} ({doubt})" if doubt else unknown


def _doubts(rows: list[Row]) -> Iterator[str]:
    """A line for each reason for which timings are not to be trusted, with the trials that have it."""
    trials: dict[str, list[str]] = {}
    for row in rows:
        if row["unstable"]:
            trials.setdefault(row["unstable"], []).append(str(row["trial"]))
    for reason, numbers in trials.items():
        are = "trial " + numbers[0] + " is" if len(numbers) == 1 else f"trials {', '.join(numbers)} are"
        yield f"! {are} unstable: {reason}"


def _quantity(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
