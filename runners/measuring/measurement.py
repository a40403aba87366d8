"""The frozen result of measuring one candidate: the unit in every name, an interval beside every estimate."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from runners.metric import Direction

Interval = tuple[float, float]


def _quantity(direction: Direction, unit: str, **default: Any) -> Any:
    return field(metadata={"direction": direction, "unit": unit}, **default)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured of one candidate; what was not measured is None.

    Attributes:
        accuracy: The workload's quality metric of the lowered artifact on the validation split.
        accuracy_ci95: Its 95 % interval.
        accuracy_drop: How much worse the accuracy is than the baseline's: that less this one, or where less is better
            this one less that.
        accuracy_drop_share: The same as a share of the baseline's accuracy.
        accuracy_drop_ci95: Its 95 % interval, from what both answered to the same examples; None where that is not
            known, and for the baseline.
        accuracy_test: The same metric on the test split, for members of the final front.
        speedup: Latency of the baseline over latency of the candidate, from pairs in one process.
        speedup_ci95: Its bootstrap 95 % interval.
        batch: Inputs of one call when it was timed.
        timed_inputs: Inputs over which it was timed where its speed depends on them: the speedup is that of their mean
            time, and the latencies are percentiles over these inputs. 1 for all others, which are timed with one.
        latency_p50_ms: Median time of one call.
        latency_p90_ms: 90th percentile of the same.
        throughput_per_s: Inputs a second with all replicas busy at once; None, as ``load_ms`` and ``peak_memory_mib``,
            where nothing was served.
        load_ms: Cold start in a fresh process: import of the runtime, reading the artifact, the first answer.
        size_mib: Size of the artifact on disk, as the runtime reads it.
        stored_mib: Size of the file from which the artifact is restored bit by bit, where it is sparse or its weights
            share values (`runners.packing`); of all others it is that of the artifact.
        lowering_seconds: Time that the runtime took to lower the network, compilation included, quantisation not.
        macs: Multiply-accumulate operations for one input; their mean where they depend on the input.
        parameters: Weights of the network.
        peak_memory_mib: Peak resident memory of one serving process.
        train_seconds: Time spent on training this candidate, 0 for the teacher. Where ``train_throughput_per_s`` is
            known it is what the training takes at that speed, with nothing beside it.
        train_seconds_ci95: Its 95 % interval where it follows from that speed.
        train_throughput_per_s: Examples a second that its training goes through, all workers together; of a candidate
            that is not trained it is that of the teacher's network. Where it or ``train_seconds`` is asked for it is
            measured in pairs with the teacher's network on one worker, whose own speed is found once in a study.
        train_throughput_per_s_ci95: The 95 % interval of the ratio of the two, times that speed.
        latency_p99_ms: 99th percentile of the same; None with too few calls to tell.
        energy_mj: Millijoules of the serving machine's processors for one inference; None without a counter.
        device_p50_ms: Median time that the accelerator itself takes for one call with one input; None for an artifact
            that does not run on one.
        accuracy_train: The same metric on the training split, for members of the final front.
        accuracy_test_ci95: The 95 % interval of ``accuracy_test``.
        accuracy_test_drop: As ``accuracy_drop``, on the test split.
        accuracy_test_drop_ci95: Its 95 % interval, as that of ``accuracy_drop``.
        outliers: Timed calls far off the others, all of which count in all figures.
        baseline_outliers: The same of the baseline beside it.
        warm_up_s: How long the calls took that came before the timed ones.
        arithmetic: How an accelerator computed it where that is not plain fp32, such as ``TF32, channels_last``.
        served_with: The ``replicas`` and ``threads`` of ``throughput_per_s`` and ``energy_mj``, for the baseline, which
            is served in the best of several ways; None where they are those of the configuration.
        machine: Clocks, throttling and load right after the timing, as far as they can be known; see
            `runners.measuring.device_state.device_state`.
        unstable: Why the figures are not to be trusted, or an empty string.
    """

    accuracy: float = _quantity("maximize", "fraction")
    accuracy_ci95: Interval
    speedup: float = _quantity("maximize", "x")
    speedup_ci95: Interval
    latency_p50_ms: float = _quantity("minimize", "ms")
    latency_p90_ms: float = _quantity("minimize", "ms")
    throughput_per_s: float | None = _quantity("maximize", "1/s", default=None)
    load_ms: float | None = _quantity("minimize", "ms", default=None)
    size_mib: float = _quantity("minimize", "MiB")
    stored_mib: float | None = _quantity("minimize", "MiB", default=None)
    macs: int = _quantity("minimize", "MAC")
    parameters: int = _quantity("minimize", "1")
    peak_memory_mib: float | None = _quantity("minimize", "MiB", default=None)
    train_seconds: float = _quantity("minimize", "s")
    train_throughput_per_s: float | None = _quantity("maximize", "1/s", default=None)
    accuracy_drop: float = _quantity("minimize", "fraction", default=0.0)
    accuracy_drop_share: float = _quantity("minimize", "fraction", default=0.0)
    latency_p99_ms: float | None = _quantity("minimize", "ms", default=None)
    energy_mj: float | None = _quantity("minimize", "mJ", default=None)
    device_p50_ms: float | None = _quantity("minimize", "ms", default=None)
    lowering_seconds: float | None = _quantity("minimize", "s", default=None)
    train_seconds_ci95: Interval | None = None
    train_throughput_per_s_ci95: Interval | None = None
    accuracy_drop_ci95: Interval | None = None
    accuracy_test: float | None = None
    accuracy_test_ci95: Interval | None = None
    accuracy_test_drop: float | None = None
    accuracy_test_drop_ci95: Interval | None = None
    accuracy_train: float | None = None
    outliers: int | None = None
    baseline_outliers: int | None = None
    warm_up_s: float | None = None
    arithmetic: str = ""
    batch: int = 1
    timed_inputs: int = 1
    served_with: Mapping[str, int] | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    unstable: str = ""

    def __post_init__(self) -> None:
        require_finite(vars(self))

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain JSON types; `from_json` gives the same measurement back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Measurement":
        """The measurement that `to_json` wrote.

        Raises:
            ValueError: A figure is missing, unknown or not finite.
        """
        try:
            figures: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in document.items()}
            return cls(**figures)
        except TypeError as error:
            raise ValueError(f"not a measurement: {error}") from error


def figures_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Measurement` among the figures of a measuring stage, which has some of its own beside them."""
    return {name: value for name, value in result.items() if name in Measurement.__dataclass_fields__}


def require_finite(figures: Mapping[str, Any]) -> None:
    """Raise `ValueError` where a quantity among ``figures`` is not a finite number; an optional one may be None."""
    for name, quantity in QUANTITIES.items():
        if name not in figures:
            continue
        value = figures[name]
        if value is None and quantity.optional:
            continue
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{name} was measured as {value} {quantity.unit}; it must be a finite number")


def without_accuracy(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that a candidate has before it is trained: all but its accuracies and the time of its training."""
    return {n: value for n, value in figures.items() if not n.startswith("accuracy") and n != "train_seconds"}


@dataclass(frozen=True)
class Quantity:
    """A measured quantity that can be an objective or bear a constraint.

    Attributes:
        name: The field of `Measurement`.
        direction: In which direction it is better.
        unit: Its unit.
        optional: Whether some machines cannot measure it, so that it may be None.
    """

    name: str
    direction: Direction
    unit: str
    optional: bool = False


QUANTITIES: dict[str, Quantity] = {
    entry.name: Quantity(entry.name, entry.metadata["direction"], entry.metadata["unit"], entry.default is None)
    for entry in fields(Measurement)
    if entry.metadata
}
