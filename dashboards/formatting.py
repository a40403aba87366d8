"""Measured values and configurations as short text."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from runners.metric import QualityMetric
from spaces.space_document import all_techniques
from spaces.technique import Parameter


def percent(fraction: float | None) -> str:
    """``0.981`` as ``98.1 %``; empty for None."""
    return "" if fraction is None else f"{100 * fraction:.1f} %"


def quality_text(value: float | None, metric: QualityMetric) -> str:
    """A value of the workload's metric: ``98.1 %`` of a fraction, else such as ``1.93 K``; empty for None."""
    if value is None or metric.is_fraction:
        return percent(value)
    return f"{value:.4g} {metric.shown_unit}".rstrip()


def quality_number(value: float, metric: QualityMetric) -> str:
    """A value of the workload's metric, or a difference, without its unit: of a fraction in percent."""
    return f"{100 * value:z.1f}" if metric.is_fraction else f"{value:.4g}"


def allowance_text(share: float, metric: QualityMetric) -> str:
    """How much may be lost: ``one accuracy point``, or ``1 % of the baseline's rmse`` where that is no fraction."""
    if not metric.is_fraction:
        return f"{100 * share:g} % of the baseline's {metric.name}"
    points = "accuracy point" if metric.higher_is_better else "percentage point"
    return f"one {points}" if abs(share - 0.01) < 1e-9 else f"{100 * share:g} {points}s"


def times(ratio: float) -> str:
    """A speedup without its unit: one decimal from 10 on, two decimals below, and at least two significant digits."""
    if ratio >= 10:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def three_digits(value: float | None) -> str:
    """Three digits of a number; all of them before the point from 100 on; empty for None."""
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def interval_text(low: float | None, high: float | None) -> str:
    """The ends of a speedup's interval, as ``13.8-14.7``; empty where there is none."""
    return "" if low is None or high is None else f"{times(low)}-{times(high)}"


def configuration_text(configuration: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """The choices that differ from the baseline's, in the order of the stages, each as its technique labels it."""
    parameters, changed = _parameters(), []
    for name in _in_order(configuration):
        value, parameter = configuration[name], parameters.get(name)
        if value != baseline.get(name, parameter.neutral if parameter else None):
            label = parameter.label if parameter and parameter.label else f"{name}={{}}"
            changed.append(label.format(_short(value)))
    return ", ".join(changed) or "as the baseline"


def choices_text(configuration: Mapping[str, Any]) -> str:
    """All choices, in the order of the stages: ``student_width=0.5, runtime=openvino, threads=1``."""
    return ", ".join(f"{name}={_short(configuration[name])}" for name in _in_order(configuration))


def _in_order(configuration: Mapping[str, Any]) -> list[str]:
    order = {name: index for index, name in enumerate(_parameters())}
    return sorted(configuration, key=lambda name: (order.get(name, len(order)), name))


@cache  # finding the techniques takes a walk through their folder
def _parameters() -> dict[str, Parameter]:
    return {parameter.name: parameter for technique in all_techniques() for parameter in technique.parameters}


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def stage_name(stage: str) -> str:
    """What a stage is called in figures: ``soft targets`` for ``soft_targets``."""
    return "final measurement" if stage == "final" else stage.replace("_", " ")
