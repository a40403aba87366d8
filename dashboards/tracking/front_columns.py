"""The front as the table that MLflow shows: rounded, and with the configuration where one sees it."""

from typing import Any

from dashboards.formatting import interval_text, quality_number
from dashboards.front_rows import Document, Row, front_rows, objective_columns
from runners.metric import QualityMetric


def front_columns(document: Document) -> dict[str, Any]:
    """The front in the form of `mlflow.log_table`: ``columns``, and ``data`` a row each; all digits are in the CSV."""
    metric = QualityMetric.of_front(document)
    rows = [_shown(row, document, metric) for row in front_rows(document)]
    return {"columns": list(rows[0]) if rows else [], "data": [list(row.values()) for row in rows]}


def _shown(row: Row, document: Document, metric: QualityMetric) -> Row:
    scale, unit = (100, "%") if metric.is_fraction else (1, metric.shown_unit)
    named = f"{metric.name} {unit}".rstrip()
    knee = row["trial"] == document.get("knee")
    doubt = f"unstable: {row['unstable']}" if row["unstable"] else ""
    return {
        "trial": row["trial"],
        "configuration": row["configuration"],
        "speedup x": _rounded(row["speedup"]),
        "speedup 95 %": interval_text(row["speedup_low"], row["speedup_high"]),
        named: _rounded(row["accuracy"], scale),
        f"{named}, 95 %": _ends(row, "accuracy", metric),
        f"{named}, test split": _rounded(row["accuracy_test"], scale),
        "p50 ms": _rounded(row["latency_p50_ms"]),
        "size MiB": _rounded(row["size_mib"]),
        **{name: _rounded(row[name]) for name in objective_columns(document)},
        "note": ", ".join(filter(None, ["knee" if knee else "", doubt])),
        "tied with": row["ties"],
    }


def _rounded(value: float | None, scale: int = 1) -> float | None:
    return None if value is None else float(f"{scale * value:.4g}")


def _ends(row: Row, name: str, metric: QualityMetric) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f"{quality_number(low, metric)}-{quality_number(high, metric)}"
