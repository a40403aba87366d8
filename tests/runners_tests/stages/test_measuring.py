"""The result of a measuring stage: its parts come back from JSON, and no figure is infinite."""

import json
import math
from dataclasses import replace

import pytest

from runners.measuring.measurement import Measurement, figures_of
from runners.measuring.pair import PairResult
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.quality import Accuracies
from runners.measuring.replicas import Serving
from runners.stages.measuring import figures_to_json, speed_from_json

TIMING = PairedTiming(
    speedup=4.0,
    speedup_ci95=(3.9, 4.1),
    latency_p50_ms=0.5,
    latency_p90_ms=0.6,
    latency_p99_ms=None,
    baseline_p50_ms=2.0,
    blocks=12,
    outliers=3,
    baseline_outliers=1,
    warm_up_s=0.2,
    unstable="the machine was busy",
    machine={"load_1m": 0.5},
)
UNTRAINED = PairResult(TIMING, device_p50_ms=0.1)
ACCURACIES = Accuracies(0.95, (0.94, 0.96), accuracy_test=0.93, accuracy_test_ci95=(0.9, 0.95), accuracy_train=0.99)
SERVING = Serving(throughput_per_s=2000.0, load_ms=50.0, peak_memory_mib=90.0, energy_mj=3.0)
LOWERED = {"size_mib": 1.5, "macs": 1000, "parameters": 100, "train_seconds": 7.0, "runtime": "eager"}


def test_a_trained_artifact_has_every_figure_of_a_measurement_and_the_rest_of_its_timing() -> None:
    result = json.loads(json.dumps(figures_to_json(replace(UNTRAINED, accuracies=ACCURACIES), SERVING, LOWERED)))
    measurement = Measurement.from_json(figures_of(result))
    assert (measurement.accuracy, measurement.accuracy_test, measurement.accuracy_train) == (0.95, 0.93, 0.99)
    assert (measurement.speedup_ci95, measurement.energy_mj, measurement.macs) == ((3.9, 4.1), 3.0, 1000)
    assert (measurement.train_seconds, measurement.unstable) == (7.0, "the machine was busy")
    assert set(result) - set(figures_of(result)) == {"baseline_p50_ms", "blocks", "answers"}


def test_the_speed_of_an_untrained_artifact_comes_back_without_what_it_taught_of_the_machine() -> None:
    result = json.loads(json.dumps(figures_to_json(UNTRAINED, SERVING, LOWERED)))
    assert not [name for name in result if name.startswith("accuracy") or name == "train_seconds"]
    assert result["parameters"] == 100
    assert speed_from_json(result) == (UNTRAINED, SERVING)


def test_a_figure_that_is_not_finite_is_refused() -> None:
    slow = replace(UNTRAINED, timing=replace(TIMING, latency_p50_ms=math.inf))
    with pytest.raises(ValueError, match="latency_p50_ms was measured as inf"):
        figures_to_json(slow, SERVING, LOWERED)
    wrong = replace(UNTRAINED, accuracies=replace(ACCURACIES, accuracy=math.nan))
    with pytest.raises(ValueError, match="accuracy was measured as nan"):
        figures_to_json(wrong, SERVING, LOWERED)
