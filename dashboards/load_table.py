"""Latency under load as a table, a row for each way to serve and rate."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Column, Table

from dashboards.formatting import three_digits
from runners.load_testing.load_curve import LoadCurve, LoadPoint, ServingWay, best_curve


def way_text(way: ServingWay) -> str:
    """Such as ``2 replicas x 1 thread, up to 8 at once, waiting 2 ms``."""
    parts = [f"{way.replicas} replica{'s' * (way.replicas > 1)} x {way.threads} thread{'s' * (way.threads > 1)}"]
    if way.batch > 1:
        parts += [f"up to {way.batch} at once"]
    if way.wait_ms:
        parts += [f"waiting {way.wait_ms:g} ms"]
    return ", ".join(parts)


def ways_table(curves: Sequence[LoadCurve], p99_ms: float | None) -> Table:
    """Each way to serve with its capacity, and its knee or the highest rate within ``p99_ms``."""
    heading = "knee, per s" if p99_ms is None else f"per s within {p99_ms:g} ms"
    table = _table("serving", "at most, per s", heading, "p50 ms", "p99 ms")
    for curve in curves:
        point = curve.knee if p99_ms is None else curve.within(p99_ms)
        row = _latencies(point) if point else ["-", "-", "-"]
        table.add_row(way_text(curve.way), three_digits(curve.capacity_per_s), *row)
    return table


def rates_table(curve: LoadCurve) -> Table:
    """One way to serve at every rate."""
    table = _table("per s", "p50 ms", "p99 ms", "p99 of rounds", "answered")
    for point in curve.points:
        ends = "-".join(map(three_digits, point.p99_range_ms)) if point.p99_range_ms else ""
        table.add_row(*_latencies(point), ends, f"{100 * point.answered:.4g} %")
    return table


def load_sentence(curves: Sequence[LoadCurve], p99_ms: float | None) -> str:
    """The best way to serve and what it gives."""
    best = best_curve(curves, p99_ms)
    point = best.knee if p99_ms is None else best.within(p99_ms)
    if point is None:
        bound = "" if p99_ms is None else f" with a 99th percentile of at most {p99_ms:g} ms"
        return f"at none of these rates all requests were answered{bound}; try lower rates with --rate"
    what = "the knee is at" if p99_ms is None else f"within {p99_ms:g} ms (99th percentile) are"
    tail = f", p99 {three_digits(point.p99_ms)} ms" if point.p99_ms is not None else ""
    return (
        f"{way_text(best.way)}: {what} {three_digits(point.rate_per_s)} requests a second, "
        f"p50 {three_digits(point.p50_ms)} ms{tail}"
    )


def load_json(curves: Sequence[LoadCurve], p99_ms: float | None) -> dict[str, Any]:
    """All of it as plain JSON types; ``best`` is the number of the best way."""
    return {
        "p99_ms": p99_ms,
        "best": list(curves).index(best_curve(curves, p99_ms)),
        "ways": [
            {
                **asdict(curve),
                "knee_per_s": curve.knee.rate_per_s if curve.knee else None,
                "within_per_s": point.rate_per_s if p99_ms is not None and (point := curve.within(p99_ms)) else None,
            }
            for curve in curves
        ],
    }


def _latencies(point: LoadPoint) -> list[str]:
    return [three_digits(point.rate_per_s), three_digits(point.p50_ms) or "-", three_digits(point.p99_ms) or "-"]


def _table(first: str, *others: str) -> Table:
    numbers = [Column(title, justify="right", no_wrap=True) for title in others]
    return Table(Column(first), *numbers, box=None, header_style="bold")
