"""What each member of a front costs, side by side: training, a call, loading, size, compute, and what is not learnt."""

from collections.abc import Callable

from rich import box
from rich.markup import escape
from rich.table import Table

from dashboards.formatting import quality_number, quality_text, three_digits, times
from dashboards.front_rows import Document, Row, front_rows
from runners.metric import QualityMetric

NOTES = (
    "train s: training of this candidate, without its teacher's; load ms: from the start of loading to the first "
    "answer; MMAC: million multiply-accumulate operations for one input; seen, unseen: on training examples, on the "
    "test split; gap: how much better on the former"
)


def cost_table(document: Document) -> Table:
    """The baseline first, then the front, fastest first: a row of costs for each, in at most 80 characters.

    Args:
        document: The front document.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=NOTES,
        caption_justify="left",
        caption_style="",
    )
    columns = _columns(QualityMetric.of_front(document))
    for heading in columns:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for row in front_rows(document):
        style = "dim" if row["configuration"] == "baseline" else ""
        table.add_row(*[escape(cell(row)) for cell in columns.values()], style=style)
    return table


def _columns(metric: QualityMetric) -> dict[str, Callable[[Row], str]]:
    """The headings, each with the text that it shows of a row."""

    def quality(name: str) -> Callable[[Row], str]:
        return lambda row: quality_text(row[name], metric)

    def gap(row: Row) -> str:
        return "" if row["gap_test"] is None else quality_number(row["gap_test"], metric)

    return {
        "trial": lambda row: str(row["trial"]),
        "speedup": lambda row: f"{times(row['speedup'])}x",
        "train s": _number("train_seconds"),
        "load ms": _number("load_ms"),
        "MiB": _number("size_mib"),
        "MMAC": _number("macs", 1e-6),
        "weights": lambda row: "" if row["parameters"] is None else _compact(row["parameters"]),
        "seen": quality("accuracy_train"),
        "unseen": quality("accuracy_test"),
        "gap": gap,
    }


def _number(name: str, scale: float = 1) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else three_digits(scale * row[name])


def _compact(count: int) -> str:
    """``820``, ``4.21k``, ``11.2M`` and so on."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return str(count)
