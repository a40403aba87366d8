"""The front document as a table: plain rows, and comma-separated values.

The front document is what ``frontrunner front NAME --json`` prints; `search.front.front_document` makes it. Each of
its members is a dictionary with ``trial``, ``configuration``, ``measurement``, ``unstable``, ``searched``, ``ties`` and
``run_id``.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from dashboards.formatting import configuration_text
from runners.metric import QualityMetric
from runners.quality.generalisation import generalisation_gaps

Document = Mapping[str, Any]
Member = Mapping[str, Any]
Row = dict[str, Any]

COLUMNS = (
    "accuracy_train",
    "accuracy_test",
    "latency_p50_ms",
    "size_mib",
    "throughput_per_s",
    "lowering_seconds",
    "train_seconds",
    "load_ms",
    "macs",
    "parameters",
)
"""Measured quantities with a column of their own, besides speedup and accuracy."""


def front_rows(document: Document) -> list[Row]:
    """The rows of the table: the baseline first where it is measured, then the front, fastest first.

    The columns are ``trial``, ``ties`` (the trials that it cannot be told apart from, with blanks between),
    ``speedup``, ``speedup_low``, ``speedup_high``, the same three of ``accuracy`` and ``accuracy_drop``,
    ``speedup_searched`` (before the final measurement), those of `COLUMNS`, ``gap_validation`` and ``gap_test`` (see
    `runners.quality.generalisation`), the other objectives, ``batch`` where a call has several inputs, ``unstable``
    (the reason, or empty) and ``configuration`` (what differs from the baseline). ``low`` and ``high`` are the ends of
    the 95 % interval. What was not measured is None.
    """
    baseline = document.get("baseline")
    shown = [*([baseline] if baseline else []), *members(document)]
    return [_row(member, baseline, document) for member in shown]


def trial_rows(document: Document, trials: Iterable[Member]) -> list[Row]:
    """A row for each of ``trials``, in their order: the columns of `front_rows`, ``state`` and ``failure``.

    Args:
        document: The front document.
        trials: Members with a ``state`` and a ``failure``; what was not measured is None.
    """
    baseline = document.get("baseline")
    rows = []
    for trial in trials:
        known = baseline if baseline and baseline["trial"] == trial["trial"] else trial
        rows.append({**_row(known, baseline, document), "state": trial["state"], "failure": trial["failure"]})
    return rows


def front_csv(document: Document) -> str:
    """`front_rows` as comma-separated values with a header; lines end in a newline, missing values are empty."""
    rows = front_rows(document)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["trial"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def members(document: Document) -> list[Member]:
    """The members of the front without the baseline, in the order of `fastest_first`."""
    baseline = document.get("baseline")
    return fastest_first([m for m in document["front"] if baseline is None or m["trial"] != baseline["trial"]])


def fastest_first(members: Iterable[Member]) -> list[Member]:
    """``members`` of a front, the fastest first, and of those that are tied in everything the one with fewer threads.

    Fewer threads leave more of a machine to others, and are disturbed less by them.
    """
    left = sorted(members, key=lambda m: (-m["measurement"]["speedup"], m["trial"]))
    ordered: list[Member] = []
    while left:
        tied = [m for m in left if m is left[0] or m["trial"] in left[0].get("ties", ())]
        ordered.append(min(tied, key=lambda m: m.get("configuration", {}).get("threads", 1)))
        left.remove(ordered[-1])
    return ordered


def objective_columns(document: Document) -> list[str]:
    """The objectives that have no column otherwise."""
    others = {"speedup", "accuracy", *COLUMNS}
    return [objective["name"] for objective in document.get("objectives", ()) if objective["name"] not in others]


def interval_of(member: Member, name: str) -> tuple[float, float] | None:
    """The ends of the 95 % interval of a measured quantity, or None where it has none."""
    ends = member["measurement"].get(f"{name}_ci95")
    return (ends[0], ends[1]) if ends else None


def instability(member: Member) -> str:
    """Why the timing of a member is unstable, or an empty string."""
    reason = member["measurement"].get("unstable") or member.get("unstable") or ""
    return reason if isinstance(reason, str) else "the measurement was unstable"


def resolution(document: Document) -> float:
    """The smallest relative difference in speed that is significant; 0 where the study did not measure it."""
    return document.get("resolution") or 0.0


def _row(member: Member, baseline: Member | None, document: Document) -> Row:
    measurement = member["measurement"]
    gaps = generalisation_gaps(measurement, QualityMetric.of_front(document))
    row: Row = {"trial": member["trial"], "ties": " ".join(map(str, member.get("ties", ())))}
    for name in ("speedup", "accuracy", "accuracy_drop"):
        low, high = interval_of(member, name) or (None, None)
        row |= {name: measurement.get(name), f"{name}_low": low, f"{name}_high": high}
    row["speedup_searched"] = (member.get("searched") or {}).get("speedup")
    row |= {name: measurement.get(name) for name in COLUMNS}
    row |= {f"gap_{split}": gap for split, gap in gaps.items()}
    row |= {name: measurement.get(name) for name in objective_columns(document)}
    if measurement.get("batch", 1) != 1:
        row["batch"] = measurement["batch"]
    row["unstable"] = instability(member)
    plain = baseline["configuration"] if baseline else {}
    row["configuration"] = "baseline" if member is baseline else configuration_text(member["configuration"], plain)
    return row
