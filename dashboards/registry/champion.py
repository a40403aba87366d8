"""Which of two versions of a registered model is better, judged by the claims in their tags."""

from collections.abc import Mapping
from typing import Any

from runners.metric import QualityMetric

_SAME = ("workload", "device", "metric", "batch", "baseline_threads")
"""What has to be the same for two claims to be compared."""


def claims_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The tags of a version: the claims of an exported folder, and what they were measured on.

    Args:
        document: ``frontrunner.json`` of the folder.
    """
    claims, measured = document["claims"], document["measured"]
    metric = QualityMetric.of_front(measured)
    known = {
        "workload": document["workload"],
        "device": measured["device"],
        "baseline_threads": measured.get("baseline_threads", 1),
        "batch": claims.get("batch", 1),
        "metric": metric.name,
        "metric_direction": metric.direction,
        "runtime": document["runtime"]["name"],
        "precision": document["runtime"]["precision"],
        "study": document["origin"].get("study"),
        "trial": document["origin"].get("trial"),
        "accuracy": claims["accuracy"],
        "accuracy_test": claims.get("accuracy_test"),
        "speedup": claims["speedup"],
        "latency_p50_ms": claims.get("latency_p50_ms"),
        "size_mib": claims.get("size_mib"),
        "unstable": claims.get("unstable") or None,
    }
    for name in ("speedup", "accuracy"):
        low, high = claims.get(f"{name}_ci95") or (claims[name], claims[name])
        known |= {f"{name}_low": low, f"{name}_high": high}
    return {name: _rounded(value) for name, value in known.items() if value is not None}


def why_not_better(new: Mapping[str, str], champion: Mapping[str, str]) -> str:
    """Why the version with the tags ``new`` does not take the alias from the ``champion``; empty where it does.

    It does where it is better in speed or accuracy and worse in neither, beyond the intervals of both.
    """
    different = next((name for name in _SAME if new.get(name) != champion.get(name)), None)
    if different:
        return (
            f"they cannot be compared, as their {different} differs ({champion.get(different)}, {new.get(different)})"
        )
    if new.get("unstable"):
        return "its own timing is unstable"
    try:
        faster = _compared(new, champion, "speedup", 1)
        sign = 1 if new.get("metric_direction", "maximize") == "maximize" else -1
        better = _compared(new, champion, "accuracy", sign)
    except (KeyError, ValueError):
        return "its claims cannot be read from its tags"
    metric = new.get("metric", "accuracy")
    if min(faster, better) < 0:
        return f"the new one is {'slower' if faster < 0 else f'worse in {metric}'}"
    return "" if max(faster, better) > 0 else f"the new one is not better in speed or {metric} beyond the intervals"


def _compared(new: Mapping[str, str], old: Mapping[str, str], name: str, sign: int) -> int:
    """1 where ``new`` is better beyond both intervals, -1 where it is worse, else 0."""
    (low, high), (old_low, old_high) = (
        sorted(sign * float(tags[f"{name}_{end}"]) for end in ("low", "high")) for tags in (new, old)
    )
    return int(low > old_high) - int(high < old_low)


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
