"""How the quality of a workload is read: the metric's name, its unit, and whether more or less of it is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["minimize", "maximize"]
FRACTION = "fraction"
"""The unit of a metric that is a share, at most 1, such as accuracy or an error rate; it is shown in percent."""
NEAR = 0.01
"""How much worse a model may be to be nearly as good: one accuracy point, or for a metric in another unit one percent
of the baseline's value."""


@dataclass(frozen=True)
class QualityMetric:
    """How a workload's quality is read.

    Attributes:
        name: Its name, for people. The keys of measurements are ``accuracy``, ``accuracy_drop`` and so on for any.
        higher_is_better: Whether more of it is better.
        unit: `FRACTION`, or any other unit, such as ``K``; empty or ``1`` for a number without one.
    """

    name: str = "accuracy"
    higher_is_better: bool = True
    unit: str = FRACTION

    @classmethod
    def of_front(cls, document: Mapping[str, Any]) -> "QualityMetric":
        """The metric that a front document, or the ``measured`` part of an exported folder, names."""
        name, unit = document.get("metric") or cls.name, document.get("metric_unit", cls.unit)
        return cls(name, document.get("metric_direction", "maximize") == "maximize", unit)

    def to_json(self) -> dict[str, str]:
        """What `of_front` reads."""
        return {"metric": self.name, "metric_direction": self.direction, "metric_unit": self.unit}

    @property
    def direction(self) -> Direction:
        """In which direction it is better."""
        return "maximize" if self.higher_is_better else "minimize"

    @property
    def is_fraction(self) -> bool:
        """Whether it is a share of at most 1."""
        return self.unit == FRACTION

    @property
    def shown_unit(self) -> str:
        """The unit as it stands behind a number: empty for a fraction, and for a number without a unit."""
        return "" if self.unit in (FRACTION, "1") else self.unit

    @property
    def in_words(self) -> str:
        """``accuracy; more is better``; with the unit of what is no fraction: ``rmse in K; less is better``."""
        unit = f" in {self.shown_unit}" if self.shown_unit else ""
        return f"{self.name}{unit}; {'more' if self.higher_is_better else 'less'} is better"

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def best(self) -> float | None:
        """The best value that there can be; None where that is not known."""
        return (1.0 if self.higher_is_better else 0.0) if self.is_fraction else None

    def drop(self, value: float, reference: float) -> float:
        """How much worse ``value`` is than ``reference``; negative where it is better."""
        return reference - value if self.higher_is_better else value - reference

    def drops(self, value: float, reference: float) -> dict[str, float]:
        """The ``accuracy_drop`` of ``value`` against ``reference``, and that as a share of the reference."""
        drop = self.drop(value, reference)
        return {"accuracy_drop": drop, "accuracy_drop_share": drop / abs(reference) if reference else drop}

    def improved(self, value: float, by: float) -> float:
        """``value`` made better by so much, and not beyond `best`."""
        if not self.higher_is_better:
            return value - by if self.best is None else max(self.best, value - by)
        return value + by if self.best is None else min(self.best, value + by)

    def allowance(self, share: float, reference: float) -> float:
        """How much worse than ``reference`` a value may be: of a fraction by ``share``, else by that share of it."""
        return share if self.is_fraction else share * abs(reference)

    def impossible(self, value: float) -> str | None:
        """Why ``value`` cannot be one of this metric, or None; only a fraction has limits."""
        if not self.is_fraction or (value <= 1 if self.higher_is_better else value >= 0):
            return None
        limit = "at most 1, which is perfect" if self.higher_is_better else "at least 0, which is perfect"
        return (
            f"it must be {limit}; of a metric that is no fraction say the unit, such as metric_unit='K', and "
            "higher_is_better=False where less is better"
        )


ACCURACY = QualityMetric()
"""The metric of a workload that says nothing of it."""
