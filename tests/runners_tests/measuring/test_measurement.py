"""The measurement: what it refuses, what may be absent, and its way through JSON."""

import json
import math
from typing import Any

import pytest
from search_tests.simulation import measurement

from runners.measuring.measurement import QUANTITIES, Measurement, figures_of

OPTIONAL = {
    "latency_p99_ms": 3.5,
    "energy_mj": 12.25,
    "device_p50_ms": 0.4,
    "accuracy_train": 0.99,
    "accuracy_test": 0.94,
    "accuracy_test_ci95": (0.92, 0.96),
    "outliers": 4,
    "warm_up_s": 0.2,
}


def figures(**changed: Any) -> dict[str, Any]:
    return {**measurement(0.95, 2.0), **changed}


def test_json_gives_the_same_measurement_back() -> None:
    whole = Measurement.from_json(figures(**OPTIONAL))
    assert Measurement.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert {name: getattr(whole, name) for name in OPTIONAL} == OPTIONAL


def test_a_document_from_before_a_figure_existed_is_read_and_the_figure_is_none() -> None:
    older = {name: value for name, value in figures().items() if name not in OPTIONAL}
    read = Measurement.from_json(older)
    assert all(getattr(read, name) is None for name in OPTIONAL)


def test_what_only_some_machines_or_searches_measure_may_be_an_objective_and_may_be_none() -> None:
    optional = {name: (q.direction, q.unit) for name, q in QUANTITIES.items() if q.optional}
    assert optional == {
        "latency_p99_ms": ("minimize", "ms"),
        "energy_mj": ("minimize", "mJ"),
        "device_p50_ms": ("minimize", "ms"),
        "lowering_seconds": ("minimize", "s"),
        "stored_mib": ("minimize", "MiB"),
        "throughput_per_s": ("maximize", "1/s"),
        "train_throughput_per_s": ("maximize", "1/s"),
        "load_ms": ("minimize", "ms"),
        "peak_memory_mib": ("minimize", "MiB"),
    }
    for name in QUANTITIES:
        if name in optional:
            Measurement.from_json(figures(**{name: None}))
        else:
            with pytest.raises(ValueError, match=f"{name} was measured as None"):
                Measurement.from_json(figures(**{name: None}))


@pytest.mark.parametrize("name", QUANTITIES)
def test_no_quantity_is_infinite_or_no_number(name: str) -> None:
    for value in (math.inf, math.nan, "fast"):
        with pytest.raises(ValueError, match=f"{name} was measured as"):
            Measurement.from_json(figures(**{name: value}))


def test_the_figures_of_a_stage_beside_the_measurement_are_left_out() -> None:
    assert figures_of(figures(blocks=3)) == figures()
    with pytest.raises(ValueError, match=r"not a measurement: .*blocks"):
        Measurement.from_json(figures(blocks=3))
