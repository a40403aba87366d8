"""The front document, as a table and as the one sentence that matters.

The front document is what ``frontrunner front NAME --json`` prints: a dictionary with the keys ``study``,
``status``, ``workload``, ``device``, ``trials``, ``objectives``, ``resolution``, ``resolution_doubt``,
``hypervolume``, ``baseline`` and ``front``. Each member is ``{"trial", "configuration", "measurement", "unstable",
"searched", "ties", "run_id"}``.
Everything here is a pure function.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from spaces.space_document import all_techniques

Document = Mapping[str, Any]
Row = dict[str, Any]

SHOWN = ("accuracy_train", "accuracy_test", "latency_p50_ms", "size_mib", "throughput_per_s")
_ROUNDING = 1e-9  # 0.52 - 0.05 is a hair over 0.47 in binary


def members(document: Document) -> list[Mapping[str, Any]]:
    """The front without the baseline, fastest first."""
    baseline = document.get("baseline")
    others = [m for m in document["front"] if baseline is None or m["trial"] != baseline["trial"]]
    return sorted(others, key=lambda m: (-m["measurement"]["speedup"], m["trial"]))


def front_rows(document: Document) -> list[Row]:
    """The table that is shown: the baseline first where it is measured, then the front, fastest first.

    The columns are ``trial``, ``ties`` (the members that it cannot be told apart from, with blanks between),
    ``speedup``, ``speedup_low``, ``speedup_high``, ``accuracy``, ``accuracy_low``, ``accuracy_high``,
    ``speedup_searched`` (before the final measurement), the columns of `SHOWN`, the objectives that are not among
    these, ``unstable`` (why the figures are not to be trusted, or nothing) and ``configuration`` (what differs from
    the baseline). ``low`` and ``high`` are the ends of the 95 % interval. What was not measured is None.
    """
    baseline = document.get("baseline")
    shown = [*([baseline] if baseline else []), *members(document)]
    extra = objective_columns(document)
    return [_row(member, baseline, extra) for member in shown]


def objective_columns(document: Document) -> list[str]:
    """The objectives that have no column of their own otherwise."""
    shown = {"speedup", "accuracy", *SHOWN}
    return [objective["name"] for objective in document.get("objectives", ()) if objective["name"] not in shown]


def configuration_text(configuration: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """The choices that differ from the baseline's, shown as their techniques say, in the order of building."""
    known = {parameter.name: parameter for technique in all_techniques() for parameter in technique.parameters}
    order = {name: place for place, name in enumerate(known)}
    changed = []
    for name in sorted(configuration, key=lambda name: order.get(name, len(order))):
        value, parameter = configuration[name], known.get(name)
        if value != baseline.get(name, parameter.neutral if parameter else None):
            label = parameter.label if parameter and parameter.label else f"{name}={{}}"
            changed.append(label.format(_text(value)))
    return ", ".join(changed) or "as the baseline"


def instability(member: Mapping[str, Any]) -> str:
    """Why a member's figures are not to be trusted, or an empty string."""
    reason = member["measurement"].get("unstable") or member.get("unstable") or ""
    return reason if isinstance(reason, str) else "the measurement was unstable"


def front_csv(document: Document) -> str:
    """`front_rows` as comma-separated values with a header; lines end in a newline, missing values are empty."""
    rows = front_rows(document)
    columns = list(rows[0]) if rows else ["trial"]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def headline(document: Document, within: float = 0.01) -> str:
    """The sentence that matters: the fastest point of the front that is nearly as accurate as the baseline.

    Args:
        document: The front document.
        within: How much accuracy may be lost, as a fraction: 0.01 is one accuracy point.

    A point that is no faster than the baseline, as far as its 95 % interval and the study's resolution say, is not
    called fast; a point whose timing is unstable is named only where there is no other, and then the sentence says
    so. Points that are neither slower nor less accurate for certain are named beside the fastest.
    """
    baseline = document.get("baseline")
    margin = f"within {_points(within)} of the baseline"
    if baseline is None:
        return "the baseline is not measured yet"
    others = members(document)
    if not document["front"] and document.get("constraints"):
        return f"no trial satisfies every constraint ({', '.join(document['constraints'])})"
    if not others:
        return f"only the baseline is on the front so far, at {percent(baseline['measurement']['accuracy'])}"
    best = fastest_within(document, within)
    if best is None:
        closest = max(others, key=lambda member: member["measurement"]["accuracy"])
        return f"no faster trial is {margin}; the closest is {_figures(closest, baseline)}"
    if _ends(best, "speedup")[0] <= 1 + resolution(document):
        return f"no trial {margin} is faster than it for certain; the fastest is {_figures(best, baseline)}"
    doubt = instability(best)
    told = f"fastest {margin}: {_figures(best, baseline)}{_ties_text(best, others, resolution(document))}"
    return told + (f"; not to be trusted: {doubt}" if doubt else "")


def resolution(document: Document) -> float:
    """The smallest share by which two speeds must differ to be believed; 0 where the study has no calibration."""
    return document.get("resolution") or 0.0


def fastest_within(document: Document, within: float = 0.01) -> Mapping[str, Any] | None:
    """The fastest member of the front, other than the baseline, that loses at most ``within`` accuracy, or None.

    A member whose timing is unstable is given only where there is no other.
    """
    baseline = document.get("baseline")
    if baseline is None:
        return None
    floor = baseline["measurement"]["accuracy"] - within - _ROUNDING
    near = [member for member in members(document) if member["measurement"]["accuracy"] >= floor]
    return next((member for member in near if not instability(member)), near[0] if near else None)


def percent(fraction: float | None) -> str:
    """``0.981`` as ``98.1 %``; nothing for None."""
    return "" if fraction is None else f"{100 * fraction:.1f} %"


def times(ratio: float) -> str:
    """A speedup without its unit: one decimal from 10 on, two below, and at least two digits that say something."""
    return f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def interval_text(low: float | None, high: float | None) -> str:
    """The ends of a speedup's interval, as ``13.8-14.7``; nothing where there is none."""
    return "" if low is None or high is None else f"{times(low)}-{times(high)}"


def _row(member: Mapping[str, Any], baseline: Mapping[str, Any] | None, extra: Sequence[str]) -> Row:
    measured = member["measurement"]
    row: Row = {"trial": member["trial"], "ties": " ".join(map(str, member.get("ties", ())))}
    for name in ("speedup", "accuracy"):
        low, high = _ends(member, name, default=None)
        row |= {name: measured[name], f"{name}_low": low, f"{name}_high": high}
    row["speedup_searched"] = (member.get("searched") or {}).get("speedup")
    row |= {name: measured.get(name) for name in (*SHOWN, *extra)}
    row["unstable"] = instability(member)
    row["configuration"] = "baseline" if member is baseline else _difference(member, baseline)
    return row


def _difference(member: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> str:
    return configuration_text(member["configuration"], baseline["configuration"] if baseline else {})


def _ends(member: Mapping[str, Any], name: str, default: Any = ...) -> tuple[Any, Any]:
    """The ends of a figure's interval; without one, ``default`` or the figure itself."""
    measured = member["measurement"]
    if default is ...:
        default = measured[name]
    low, high = measured.get(f"{name}_ci95") or (default, default)
    return low, high


def _figures(member: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    measured = member["measurement"]
    interval = interval_text(*_ends(member, "speedup", default=None))
    speed = f"{times(measured['speedup'])}x" + (f" (95 % {interval})" if interval else "")
    against = f"{percent(measured['accuracy'])} against {percent(baseline['measurement']['accuracy'])}"
    return f"trial {member['trial']}, {speed}, {against}"


def _ties_text(best: Mapping[str, Any], others: Sequence[Mapping[str, Any]], margin: float) -> str:
    """The trials that ``best`` beats neither in speed nor in accuracy for certain, nor they it."""
    level = [m for m in others if _overlap(best, m, "speedup", margin) and _overlap(best, m, "accuracy", 0.0)]
    numbers = sorted(member["trial"] for member in level if member is not best)
    if not numbers:
        return ""
    *first, last = map(str, numbers)
    return f"; tied with trials {', '.join(first)} and {last}" if first else f"; tied with trial {last}"


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any], name: str, margin: float) -> bool:
    """Whether the intervals of two figures have no gap that is wider than the factor 1 + ``margin``."""
    (low, high), (other_low, other_high) = _ends(one, name), _ends(other, name)
    return bool(low <= other_high * (1 + margin) and other_low <= high * (1 + margin))


def _points(within: float) -> str:
    return "one accuracy point" if abs(within - 0.01) < _ROUNDING else f"{100 * within:g} accuracy points"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
