"""Measured values and configurations as short text."""

from collections.abc import Mapping
from typing import Any

from spaces.space_document import all_techniques


def percent(fraction: float | None) -> str:
    """``0.981`` as ``98.1 %``; empty for None."""
    return "" if fraction is None else f"{100 * fraction:.1f} %"


def times(ratio: float) -> str:
    """A speedup without its unit: one decimal from 10 on, two decimals below, and at least two significant digits."""
    if ratio >= 10:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def interval_text(low: float | None, high: float | None) -> str:
    """The ends of a speedup's interval, as ``13.8-14.7``; empty where there is none."""
    return "" if low is None or high is None else f"{times(low)}-{times(high)}"


def configuration_text(configuration: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """The choices that differ from the baseline's, in the order of the stages, each as its technique labels it."""
    parameters = {parameter.name: parameter for technique in all_techniques() for parameter in technique.parameters}
    order = {name: index for index, name in enumerate(parameters)}
    changed = []
    for name in sorted(configuration, key=lambda name: order.get(name, len(order))):
        value, parameter = configuration[name], parameters.get(name)
        if value != baseline.get(name, parameter.neutral if parameter else None):
            label = parameter.label if parameter and parameter.label else f"{name}={{}}"
            changed.append(label.format(f"{value:g}" if isinstance(value, float) else value))
    return ", ".join(changed) or "as the baseline"
