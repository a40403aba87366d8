"""The result of a measuring stage: from the parts that were measured to plain JSON, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from runners.measuring.footprint import Footprint
from runners.measuring.measurement import Measurement, figures_of, require_finite
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.quality import Accuracies
from runners.measuring.replicas import Serving


@dataclass(frozen=True)
class Speed:
    """What timing and serving showed of an artifact; it does not depend on the weights.

    Attributes:
        timing: The artifact beside the baseline.
        device_p50_ms: Median time that the accelerator takes for one call; None for an artifact that uses none.
        serving: The artifact in replicas.
    """

    timing: PairedTiming
    device_p50_ms: float | None
    serving: Serving

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> "Speed":
        """The speed in the result of a measuring stage, without the ``baseline_minima``, which are known from there."""
        serving = Serving(**{entry.name: result[entry.name] for entry in fields(Serving)})
        return cls(PairedTiming.from_json(result), result["device_p50_ms"], serving)


def untrained_result(speed: Speed, footprint: Footprint) -> dict[str, Any]:
    """The fields of `Measurement` that an untrained artifact has, those of `PairedTiming`, and ``baseline_minima``.

    Raises:
        ValueError: A figure is not finite.
    """
    figures = {
        **speed.timing.to_json(),
        **vars(speed.serving),
        **vars(footprint),
        "device_p50_ms": speed.device_p50_ms,
        "baseline_minima": speed.timing.baseline_minima,
    }
    require_finite(figures)
    return figures


def trained_result(speed: Speed, footprint: Footprint, accuracies: Accuracies, train_seconds: float) -> dict[str, Any]:
    """The fields of `Measurement`, those of `PairedTiming`, and ``baseline_minima``.

    Raises:
        ValueError: A figure is not finite.
    """
    figures = untrained_result(speed, footprint)
    measurement = Measurement(**figures_of(figures), **vars(accuracies), train_seconds=train_seconds)
    return {**figures, **measurement.to_json()}
