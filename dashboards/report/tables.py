"""The tables of a report as HTML: the front, its configurations, how it was measured, and all trials."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboards.baseline_text import baseline_text, throughput_text
from dashboards.figures.measured_trials import baseline_trial, value_text
from dashboards.formatting import configuration_text, interval_text, quality_text, three_digits, times
from dashboards.front_rows import front_rows, instability, interval_of, members, resolution
from dashboards.front_table import CONFIGURATION, all_columns
from dashboards.headline import best_member
from dashboards.report.page import escaped
from dashboards.time_left import duration
from runners.metric import QualityMetric

Document = Mapping[str, Any]
_LEFT_OUT = ("tied with", "in search", "train")
"""Columns of the terminal's table that a report has in sentences, or not."""
MOST_MEMBERS = 10
"""Members of a front whose configurations stand side by side."""


def front_table(document: Document) -> str:
    """Every column of the terminal's table: the baseline, then the fastest first; the headline's trial is bold."""
    rows, best = front_rows(document), best_member(document)
    if not rows:
        return "<p>Nothing is on the front.</p>"
    wanted = [column for column in all_columns(document) if column.title not in _LEFT_OUT]
    columns = [column for column in wanted if not column.optional or any(map(column.cell, rows))]
    columns.sort(key=lambda column: column.title not in ("trial", CONFIGURATION.title))
    heads = [(column.title, column.title == CONFIGURATION.title) for column in columns]
    cells = [[column.cell(row) for column in columns] for row in rows]
    if any(row["ties"] for row in rows):
        heads.append(("cannot be told apart from", True))
        cells = [[*line, ", ".join(row["ties"].split())] for line, row in zip(cells, rows, strict=True)]
    bold = [best is not None and row["trial"] == best["trial"] for row in rows]
    shown = table(heads, cells, bold)
    unstable: dict[str, list[str]] = {}
    for row in rows:
        if row["unstable"]:
            unstable.setdefault(row["unstable"], []).append(str(row["trial"]))
    notes = [f"! the timing of {_trials(numbers)} is not to be trusted: {why}." for why, numbers in unstable.items()]
    return shown + "".join(f'<p class="soft">{escaped(note)}</p>\n' for note in notes)


def _trials(numbers: Sequence[str]) -> str:
    *first, last = numbers
    return f"trials {', '.join(first)} and {last}" if first else f"trial {last}"


def configurations_table(document: Document) -> str:
    """A row for each choice that one of the members has other than the baseline, and a sentence with the rest."""
    shown = members(document)[:MOST_MEMBERS]
    baseline = document.get("baseline")
    plain = baseline["configuration"] if baseline else {}
    names = list(dict.fromkeys(name for member in shown for name in member["configuration"]))
    differing = [n for n in names if any(m["configuration"].get(n, plain.get(n)) != plain.get(n) for m in shown)]
    if not differing:
        return "<p>No member of the front differs from the baseline.</p>"
    heads = [("choice", True), ("baseline", False), *((f"trial {member['trial']}", False) for member in shown)]
    rows = [
        [name, *(_value(one, name) for one in (plain, *(member["configuration"] for member in shown)))]
        for name in differing
    ]
    same = ", ".join(f"{name} {_value(plain, name)}" for name in names if name not in differing and name in plain)
    more = len(members(document)) - len(shown)
    rest = ([f"As the baseline in all: {same}."] if same else []) + ([f"Not shown: {more} more."] if more else [])
    return table(heads, rows) + "".join(f'<p class="soft">{escaped(line)}</p>\n' for line in rest)


def measured_list(document: Document) -> str:
    """Where, when and against what: names with what is known of each."""
    baseline, metric = document.get("baseline"), QualityMetric.of_front(document)
    examples = document.get("facts", {}).get("examples") or {}
    share = resolution(document)
    splits = ", ".join(f"{count:,} for {split}" for split, count in examples.items())
    found = {
        "workload": document.get("workload", ""),
        "device": document.get("device", ""),
        "time": " to ".join(str(document[n]).replace("T", " ") for n in ("begun", "ended") if document.get(n)),
        "metric": metric.in_words,
        "examples": splits,
        "objectives": ", ".join(f"{one['name']} ({one['direction']})" for one in document["objectives"]),
        "constraints": ", ".join(document.get("constraints", ())),
        "baseline": baseline_text(baseline) if baseline else "not measured yet",
        "throughput": throughput_text(baseline) if baseline else "",
        "smallest difference": f"{100 * share:.2g} % in speed; what is smaller is not significant" if share else "",
        "to be doubted": document.get("resolution_doubt", ""),
        "hypervolume": f"{document['hypervolume']:.4f}",
    }
    entries = (f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in found.items() if text)
    return f"<dl>{''.join(entries)}</dl>\n"


def trials_table(document: Document) -> str:
    """A row for each trial by number, folded away; those without figures say why."""
    metric, trials = QualityMetric.of_front(document), document.get("all", ())
    front = {member["trial"] for member in document["front"]}
    plain = (document.get("baseline") or {}).get("configuration", {})
    took = {one["trial"]: sum(one["seconds"].values()) for one in document.get("history", {}).get("trials", ())}
    heads = [("trial", False), ("speedup", False), ("95 %", False), (metric.name, False), ("p50 ms", False)]
    heads += [("MiB", False), ("took", False), ("configuration, and why it has no figures or is doubted", True)]
    rows = [_trial_row(trial, front, metric, plain, took, baseline_trial(document)) for trial in trials]
    off = [f"{one['choice']} {one['value']}: {one['reason']}" for one in document.get("off", ())]
    never = f"<p class='soft'>Never tried on this machine: {escaped('; '.join(off))}.</p>\n" if off else ""
    summary = f"<summary>{len(rows)} trials; * is on the front</summary>"
    return f"<details>{summary}{table(heads, rows)}</details>\n{never}"


def _trial_row(
    trial: Document,
    front: set[int],
    metric: QualityMetric,
    plain: Mapping[str, Any],
    took: Mapping[int, float],
    baseline: int,
) -> list[str]:
    number, figures = trial["trial"], trial["measurement"] or {}
    text = "baseline" if number == baseline else configuration_text(trial["configuration"], plain)
    state = "" if trial["state"] == "complete" else f"{trial['state']}: {trial['failure'] or 'no result yet'}"
    doubt = f"unstable: {instability(trial)}" if figures and instability(trial) else ""
    return [
        f"{number}{' *' if number in front else ''}",
        f"{times(figures['speedup'])}x" if figures else "",
        interval_text(*(interval_of(trial, "speedup") or (None, None))) if figures else "",
        quality_text(figures.get("accuracy"), metric) if figures else "",
        three_digits(figures.get("latency_p50_ms")),
        three_digits(figures.get("size_mib")),
        duration(took[number]) if took.get(number) else "",
        ". ".join(filter(None, (text, state, doubt))),
    ]


def table(heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]], bold: Iterable[bool] = ()) -> str:
    """A table whose columns are right-aligned but for those that are text."""
    classes = [' class="text"' if is_text else "" for _, is_text in heads]
    head = "".join(f"<th{kind}>{escaped(title)}</th>" for (title, _), kind in zip(heads, classes, strict=True))
    marks = iter(bold)
    body = "".join(_row(cells, classes, next(marks, False)) for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n'


def _row(cells: Sequence[str], classes: Sequence[str], is_bold: bool) -> str:
    shown = "".join(f"<td{kind}>{escaped(cell)}</td>" for cell, kind in zip(cells, classes, strict=True))
    return f"<tr{' class=best' if is_bold else ''}>{shown}</tr>"


def _value(configuration: Mapping[str, Any], name: str) -> str:
    return value_text(configuration[name]) if name in configuration else ""
