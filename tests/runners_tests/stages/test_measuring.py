"""The result of a measuring stage: its parts come back from JSON, and no figure is infinite."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runners.measuring.measurement import Measurement, figures_of
from runners.measuring.opening import Artifact
from runners.measuring.pair import PairResult
from runners.measuring.paired_timing import PairedTiming
from runners.quality.quality import Accuracies
from runners.runner import StageFailed, StageTask
from runners.serving.replicas import Serving
from runners.stages import measuring
from runners.stages.job import StageJob
from runners.stages.measuring import figures_to_json, speed_from_json
from runners.workload_loading.reference import resolve

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
LOWERED = {
    "size_mib": 1.5,
    "stored_mib": 1.5,
    "lowering_seconds": 4.0,
    "macs": 1000,
    "parameters": 100,
    "train_seconds": 7.0,
    "runtime": "eager",
}


def test_a_trained_artifact_has_every_figure_of_a_measurement_and_the_rest_of_its_timing() -> None:
    result = json.loads(json.dumps(figures_to_json(replace(UNTRAINED, accuracies=ACCURACIES), SERVING, LOWERED)))
    measurement = Measurement.from_json(figures_of(result))
    assert (measurement.accuracy, measurement.accuracy_test, measurement.accuracy_train) == (0.95, 0.93, 0.99)
    assert (measurement.speedup_ci95, measurement.energy_mj, measurement.macs) == ((3.9, 4.1), 3.0, 1000)
    assert (measurement.train_seconds, measurement.unstable) == (7.0, "the machine was busy")
    assert measurement.lowering_seconds == 4.0
    assert set(result) - set(figures_of(result)) == {"baseline_p50_ms", "blocks", "answers"}


def test_the_speed_of_an_untrained_artifact_comes_back_without_what_it_taught_of_the_machine() -> None:
    result = json.loads(json.dumps(figures_to_json(UNTRAINED, SERVING, LOWERED)))
    assert not [name for name in result if name.startswith("accuracy") or name == "train_seconds"]
    assert result["parameters"] == 100
    assert speed_from_json(result) == (UNTRAINED, SERVING)


class Served:
    """Stands for `serve`: gives a throughput by plan, and remembers the plans."""

    def __init__(self, by_plan: dict[tuple[int, int], float]) -> None:
        self._by_plan = by_plan
        self.asked: list[tuple[int, int]] = []

    def __call__(self, artifact: Artifact, workload: Any, replicas: int, *given: Any) -> Serving:
        self.asked.append((replicas, artifact.threads))
        throughput = self._by_plan[self.asked[-1]]
        if not throughput:
            raise StageFailed("out of memory")
        return Serving(throughput, load_ms=10.0 * len(self.asked), peak_memory_mib=90.0, energy_mj=1e3 / throughput)


def plan(replicas: int, threads: int) -> dict[str, int]:
    return {"replicas": replicas, "threads": threads}


def serving(served: Served, monkeypatch: pytest.MonkeyPatch, *plans: dict[str, int]) -> Serving:
    """What a stage with these plans gives."""
    monkeypatch.setattr(measuring, "serve", served)
    settings = {"serving": plan(1, 1), **({"servings": list(plans)} if plans else {})}
    task = StageTask("measuring", "k", settings, {}, "synthetic", 0)
    job = StageJob(task, {}, Path(), resolve("synthetic"))
    return measuring._serve(job, Artifact(Path(), "eager", 1))


def test_the_baseline_is_served_in_the_best_of_several_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served({(1, 1): 100.0, (1, 4): 180.0, (2, 2): 250.0, (4, 1): 0.0})
    found = serving(served, monkeypatch, plan(1, 1), plan(1, 4), plan(2, 2), plan(4, 1))
    assert served.asked == [(1, 1), (1, 4), (2, 2), (4, 1)]
    assert (found.throughput_per_s, found.energy_mj, found.served_with) == (250.0, 4.0, plan(2, 2))
    assert found.load_ms == 10.0, "that of its own plan, which was alone"


def test_a_candidate_is_served_as_its_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served({(1, 1): 100.0})
    assert serving(served, monkeypatch).served_with is None
    assert served.asked == [(1, 1)]


def test_a_baseline_that_cannot_be_served_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageFailed, match="out of memory"):
        serving(Served({(1, 1): 0.0, (1, 2): 5.0}), monkeypatch, plan(1, 1), plan(1, 2))


def test_a_figure_that_is_not_finite_is_refused() -> None:
    slow = replace(UNTRAINED, timing=replace(TIMING, latency_p50_ms=math.inf))
    with pytest.raises(ValueError, match="latency_p50_ms was measured as inf"):
        figures_to_json(slow, SERVING, LOWERED)
    wrong = replace(UNTRAINED, accuracies=replace(ACCURACIES, accuracy=math.nan))
    with pytest.raises(ValueError, match="accuracy was measured as nan"):
        figures_to_json(wrong, SERVING, LOWERED)
