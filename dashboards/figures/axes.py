"""The axes of figures: which quantity, in which unit, which way is better, and where its ticks are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.figures.style import safe
from runners.metric import FRACTION, QualityMetric


@dataclass(frozen=True)
class Axis:
    """One axis of a figure, which is a measured quantity.

    Attributes:
        name: Name of the quantity.
        direction: ``maximize`` or ``minimize``.
        unit: Its unit; a ``fraction`` is shown in percent.
        label: What it is called in the figure; empty is its name.
    """

    name: str
    direction: str
    unit: str
    label: str = ""

    @property
    def better(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.direction == "maximize" else -1

    @property
    def is_quality(self) -> bool:
        """Whether it shows what the workload's metric says of a candidate."""
        return self.unit == FRACTION or self.name.startswith("accuracy")

    @property
    def title(self) -> str:
        """``speedup, times the baseline``: its name and its unit."""
        unit = {"x": "times the baseline", "1": "", FRACTION: "%"}.get(self.unit, self.unit)
        name = (self.label or self.name).removesuffix(f"_{unit.lower()}").replace("_", " ")
        return f"{name}, {unit}" if unit else name

    def is_logarithmic(self, values: Sequence[float]) -> bool:
        """Whether it is drawn on a logarithmic scale: all but qualities are, where every value is above 0."""
        return not self.is_quality and bool(values) and min(values) > 0

    def text(self, value: float) -> str:
        """``98.1 %``, ``23.1x`` or ``0.41 ms``."""
        if self.unit == FRACTION:
            return f"{100 * value:.1f} %"
        return f"{value:.3g}x" if self.unit == "x" else f"{value:.4g} {self.unit}".rstrip().removesuffix(" 1")

    def interval_text(self, value: float, low: float, high: float) -> str:
        """``accuracy 98.1 % (95 % interval 97.0 % to 98.9 %)``; without the interval where there is none."""
        interval = f" (95 % interval {self.text(low)} to {self.text(high)})" if low < high else ""
        return f"{self.label or self.name} {self.text(value)}{interval}"


SPEEDUP = {"name": "speedup", "direction": "maximize", "unit": "x"}


def objective_axes(document: Mapping[str, Any]) -> list[Axis]:
    """An axis for each objective of a front document, in their order."""
    return [_axis(objective, QualityMetric.of_front(document)) for objective in document["objectives"]]


def front_axes(document: Mapping[str, Any]) -> tuple[Axis, Axis]:
    """The first two objectives as (x, y), with a default beside a single one; the quality goes on the y axis."""
    metric = QualityMetric.of_front(document)
    accuracy = {"name": "accuracy", "direction": metric.direction, "unit": metric.unit}
    objectives = document["objectives"]
    known = {objective["name"] for objective in objectives}
    missing = [axis for axis in (accuracy, SPEEDUP) if axis["name"] not in known]
    first, second = (_axis(objective, metric) for objective in [*objectives, *missing][:2])
    return (first, second) if second.is_quality and not first.is_quality else (second, first)


def drawn_axis(axis: Axis, values: Sequence[float], *, padding: float = 0.06) -> dict[str, Any]:
    """An axis of plotly for ``axis`` that has room for ``values``, with round ticks.

    Args:
        axis: The quantity.
        values: All that is drawn along it, ends of intervals included.
        padding: The free space at both ends, as a share of what the values span.
    """
    title = {"title": {"text": f"{safe(axis.title)} ({'more' if axis.better > 0 else 'less'} is better)"}}
    if not values:
        return title
    low, high = min(values), max(values)
    if not axis.is_logarithmic(values):
        pad = padding * (high - low) or abs(high) * 0.02 or 0.01
        style = {**title, "range": [low - pad, high + pad]}
        if axis.unit == FRACTION:
            ticks = _even_ticks(low - pad, high + pad)
            digits = 0 if all(abs(100 * tick - round(100 * tick)) < 1e-6 for tick in ticks) else 1
            style |= {"tickvals": ticks, "ticktext": [f"{100 * tick:.{digits}f}" for tick in ticks]}
        return style
    low, high = math.log10(low), math.log10(high)
    pad = padding * (high - low) or 0.1
    ticks = _round_numbers(10 ** (low - pad), 10 ** (high + pad))
    text = [f"{tick:g}{'x' if axis.unit == 'x' else ''}" for tick in ticks]
    return {**title, "type": "log", "range": [low - pad, high + pad], "tickvals": ticks, "ticktext": text}


def axis_in_view(axis: Axis, needed: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """`drawn_axis` with room for ``needed``, and for those ``others`` that do not press the former together.

    These are at most half as far outside as ``needed`` spans.
    """
    logarithmic = axis.is_logarithmic([*needed, *others])
    if not needed or min(needed) == max(needed) or not (logarithmic or axis.is_quality):
        return drawn_axis(axis, [*needed, *others])
    scale = math.log if logarithmic else float
    low, high = scale(min(needed)), scale(max(needed))
    room = (high - low) / 2
    return drawn_axis(axis, [*needed, *(one for one in others if low - room <= scale(one) <= high + room)])


def _axis(objective: Mapping[str, Any], metric: QualityMetric) -> Axis:
    name = objective["name"]
    label = metric.name + name.removeprefix("accuracy") if name.startswith("accuracy") else ""
    return Axis(name, objective["direction"], objective.get("unit", ""), "" if label == name else label)


def _even_ticks(low: float, high: float) -> list[float]:
    """Some five round numbers from ``low`` to ``high``."""
    rough = (high - low) / 5
    step = next(
        one * 10.0**power
        for power in (math.floor(math.log10(rough)), math.floor(math.log10(rough)) + 1)
        for one in (1, 2, 5)
        if one * 10.0**power >= rough
    )
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from ``low`` to ``high``.

    Over more than three decades only the powers; where these are fewer than two, numbers in even steps.
    """
    steps = (1, 2, 5) if high / low <= 1000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    found = [tick for tick in ticks if low <= tick <= high]
    return found if len(found) > 1 else [tick for tick in _even_ticks(low, high) if tick > 0]
