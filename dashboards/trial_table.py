"""All trials of a study as one table for a terminal: the fastest first, then what failed or cannot run, and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from dashboards.baseline_text import baseline_text
from dashboards.formatting import configuration_text, interval_text, quality_number, quality_text, three_digits, times
from dashboards.front_rows import instability, interval_of, resolution
from runners.metric import QualityMetric
from spaces.setting_error import in_short

Document = Mapping[str, Any]
WIDE = 100
"""Characters of a terminal from which on every column is shown."""
_LONGEST_NAME = 16
_NAMED = 3
"""Unstable trials whose reason is told."""


def trial_table(document: Document, trials: Iterable[Document], off: Iterable[Document], width: int) -> Table:
    """The table of all ``trials``.

    Measured trials come first, each with its intervals and the fastest at the top, those whose timing is unstable after
    the others; then those that were stopped or failed, and what the machine cannot run, each with its reason. ``*``
    marks members of the front.

    Args:
        document: The front document.
        trials: Trials in the form of the front's members, with ``state`` and ``failure``.
        off: What is never tried on this machine: ``choice``, ``value`` and ``reason``.
        width: The number of characters; with fewer than `WIDE` size and quality are left out, and the loss of quality
            stays.
    """
    shown = list(trials)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=escape(_title(document)),
        caption=escape("\n".join(_notes(document, shown, width))),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="",
    )
    columns = _columns(document, width)
    for heading in columns:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    table.add_column("configuration, or why it has no figures", overflow="fold")
    measured = [trial for trial in shown if trial["measurement"]]
    for trial in sorted(measured, key=lambda one: (bool(instability(one)), -one["measurement"]["speedup"])):
        cells = (escape(cell(trial)) for cell in columns.values())
        table.add_row(*cells, escape(_text(trial, document)), style=_style(trial, document))
    empty = [""] * (len(columns) - 2)
    for trial in (one for one in shown if not one["measurement"]):
        text = f"{_text(trial, document)}: {trial['failure'] or 'no result yet'}"
        table.add_row(f"{trial['trial']}  ", trial["state"], *empty, escape(text))
    for entry in off:
        named = entry["reason"].startswith(f"{entry['value']} ")
        text = entry["reason"] if named else f"{entry['choice']} {entry['value']}: {entry['reason']}"
        table.add_row("", "off", *empty, escape(text), style="dim")
    return table


def _columns(document: Document, width: int) -> dict[str, Callable[[Document], str]]:
    """The headings of the figures, each with the text that it shows of a measured trial."""
    metric = QualityMetric.of_front(document)
    front = {member["trial"] for member in document["front"]}

    def number(trial: Document) -> str:
        unstable, member = "! " if instability(trial) else "", " *" if trial["trial"] in front else "  "
        return f"{unstable}{trial['trial']}{member}"

    def lost(trial: Document) -> str:
        drop, ends = trial["measurement"].get("accuracy_drop"), interval_of(trial, "accuracy_drop")
        shown = "" if drop is None else quality_number(drop, metric)
        return shown + (f" ({' to '.join(quality_number(end, metric) for end in ends)})" if ends else "")

    columns: dict[str, Callable[[Document], str]] = {
        "trial": number,
        "speedup": lambda trial: f"{times(trial['measurement']['speedup'])}x",
        "95 %": lambda trial: interval_text(*(interval_of(trial, "speedup") or (None, None))),
        "p50 ms": lambda trial: three_digits(trial["measurement"].get("latency_p50_ms")),
        "MiB": lambda trial: three_digits(trial["measurement"].get("size_mib")),
        in_short(metric.name, _LONGEST_NAME): lambda trial: quality_text(trial["measurement"].get("accuracy"), metric),
        "points lost (95 %)" if metric.is_fraction else "lost (95 %)": lost,
    }
    narrow = () if width >= WIDE else ("MiB", in_short(metric.name, _LONGEST_NAME))
    return {heading: cell for heading, cell in columns.items() if heading not in narrow}


def _text(trial: Document, document: Document) -> str:
    """The choices of a trial; of one in which nothing is trained all, as runtime, number format and threads."""
    baseline = document.get("baseline") or {}
    if trial["trial"] == baseline.get("trial"):
        return f"baseline: {baseline_text(baseline)}"
    configuration = trial["configuration"]
    if document.get("everything"):
        threads = configuration["threads"]
        called = f"{threads} thread{'s' if threads != 1 else ''}"
        return f"{configuration['runtime']}, {configuration['numeric_precision']}, {called}"
    return configuration_text(configuration, baseline.get("configuration", {}))


def _style(trial: Document, document: Document) -> str:
    return "dim" if trial["trial"] == (document.get("baseline") or {}).get("trial") else ""


def _title(document: Document) -> str:
    failed = f" ({document['failed']} failed)" if document.get("failed") else ""
    return f"{document['study']}: {document.get('workload', '')}, {document['trials']} trials{failed}"


def _notes(document: Document, trials: Sequence[Document], width: int) -> list[str]:
    share, unstable = 100 * resolution(document), [trial for trial in trials if instability(trial)]
    final = any(trial.get("searched") for trial in trials)
    more = len(unstable) - _NAMED
    metric = QualityMetric.of_front(document)
    return [
        "* on the front" + (", with the values of the final measurement; all others are of the search" * final),
        *(["each was timed once, in turn with the baseline"] if document.get("everything") else []),
        *(f"! trial {trial['trial']} is unstable: {instability(trial)}" for trial in unstable[:_NAMED]),
        *([f"! and {more} more, see --json"] if more > 0 else []),
        *([f"a terminal of {WIDE} characters has room for {metric.name} and MiB, too"] if width < WIDE else []),
        *([f"differences in speed below {share:.2g} % are not significant"] if share > 0 else []),
    ]
