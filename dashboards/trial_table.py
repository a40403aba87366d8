"""All trials of a study as one table for a terminal: the fastest first, then what failed or cannot run, and why."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from dashboards.baseline_text import baseline_text
from dashboards.formatting import configuration_text, interval_text, quality_number, quality_text, times
from dashboards.front_rows import instability, interval_of, resolution
from runners.metric import QualityMetric
from spaces.setting_error import in_short

Document = Mapping[str, Any]
_LONGEST_NAME = 16


def trial_table(document: Document, trials: Iterable[Document], off: Iterable[Document]) -> Table:
    """The table of all ``trials``.

    Measured trials come first, the fastest at the top and each with its intervals; then those that were stopped or
    failed, and what the machine cannot run, each with its reason. ``*`` marks members of the front.

    Args:
        document: The front document.
        trials: Trials in the form of the front's members, with ``state`` and ``failure``.
        off: What is never tried on this machine: ``choice``, ``value`` and ``reason``.
    """
    shown = list(trials)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=escape(_title(document)),
        caption=escape("\n".join(_notes(document, shown))),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="",
    )
    metric = QualityMetric.of_front(document)
    lost = "points lost (95 %)" if metric.is_fraction else "lost (95 %)"
    headings = ("trial", "speedup", "95 %", "p50 ms", "MiB", in_short(metric.name, _LONGEST_NAME), lost)
    for heading in headings:
        table.add_column(escape(heading), justify="right", no_wrap=True)
    table.add_column("configuration, or why it has no figures", overflow="fold")
    front = {member["trial"] for member in document["front"]}
    for trial in sorted((one for one in shown if one["measurement"]), key=lambda t: -t["measurement"]["speedup"]):
        table.add_row(*map(escape, _measured(trial, document, front)), style=_style(trial, document))
    for trial in (one for one in shown if not one["measurement"]):
        text = f"{_text(trial, document)}: {trial['failure'] or 'no result yet'}"
        table.add_row(f"{trial['trial']}  ", trial["state"], *[""] * (len(headings) - 2), escape(text))
    for entry in off:
        text = f"{entry['choice']} {entry['value']}: {entry['reason']}"
        table.add_row("", "off", *[""] * (len(headings) - 2), escape(text), style="dim")
    return table


def _measured(trial: Document, document: Document, front: set[int]) -> list[str]:
    figures, metric = trial["measurement"], QualityMetric.of_front(document)
    drop = interval_of(trial, "accuracy_drop")
    lost = quality_number(figures["accuracy_drop"], metric) if "accuracy_drop" in figures else ""
    unstable, member = "! " if instability(trial) else "", " *" if trial["trial"] in front else "  "
    return [
        f"{unstable}{trial['trial']}{member}",
        f"{times(figures['speedup'])}x",
        interval_text(*(interval_of(trial, "speedup") or (None, None))),
        f"{figures['latency_p50_ms']:,.2f}" if "latency_p50_ms" in figures else "",
        f"{figures['size_mib']:,.2f}" if "size_mib" in figures else "",
        quality_text(figures.get("accuracy"), metric),
        lost + (f" ({' to '.join(quality_number(end, metric) for end in drop)})" if drop else ""),
        _text(trial, document),
    ]


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


def _notes(document: Document, trials: Iterable[Document]) -> list[str]:
    share = 100 * resolution(document)
    alike = "final" if any(trial.get("searched") for trial in trials) else ""
    return [
        "* on the front"
        + (", with the values of the final measurement; all others are of the search" if alike else ""),
        *(["each artifact was timed once, in turn with the baseline"] if document.get("everything") else []),
        *(f"! trial {trial['trial']} is unstable: {instability(trial)}" for trial in trials if instability(trial)),
        *([f"differences in speed below {share:.2g} % are not significant"] if share > 0 else []),
    ]
