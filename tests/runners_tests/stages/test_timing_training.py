"""The figures of a training's speed: what follows from a ratio, and what the baseline is."""

from pathlib import Path
from typing import Any

import pytest
from runners_tests.stages.test_measuring import TIMING

from runners.measuring.candidate_figures import figures_of_training, with_training
from runners.measuring.training_pair import TrainingPair
from runners.runner import StageTask
from runners.stages import timing_training
from runners.stages.job import StageJob
from runners.store.entry import StoredStage
from runners.training.settings import TrainingSettings
from runners.workload_loading.reference import resolve
from spaces.plans import TrainingPlan


def figures(monkeypatch: pytest.MonkeyPatch, plan: TrainingPlan, reference: dict[str, Any] | None) -> dict[str, Any]:
    """Those of the stage, whose training is four times as fast a step as the baseline's, which takes 2 ms."""
    seen: list[TrainingPair] = []

    def time_training(workload: Any, pair: TrainingPair) -> Any:
        seen.append(pair)
        return TIMING

    monkeypatch.setattr(timing_training, "time_training", time_training)
    stored = {role: StoredStage(role, Path(role), {}, 0.0) for role in ("parent", "learns_from", "teacher")}
    if reference is not None:
        stored["reference"] = StoredStage("reference", Path("reference"), reference, 0.0)
    settings = {
        **TrainingSettings(plan).to_json(),
        "reference": TrainingSettings(TrainingPlan(batch_size=50)).to_json(),
        **{"threads": 2, "reference_threads": 1, "trained_examples": 6000, "budget_s": 1.0},
    }
    task = StageTask("timing_training", "key", settings, {}, "synthetic", seed=0)
    result = timing_training.run(StageJob(task, stored, Path("."), resolve("synthetic")))
    assert seen[0].candidate.teacher == (Path("learns_from") if plan.distils else None)
    assert (seen[0].baseline.network, seen[0].baseline.teacher) == (Path("teacher"), None)
    return result


def test_the_rate_of_a_candidate_is_that_of_the_baseline_times_the_ratio_of_their_examples_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = TrainingPlan(batch_size=100, distillation_weight=0.5)
    found = figures(monkeypatch, plan, {"train_throughput_per_s": 1000.0})
    assert found["train_throughput_per_s"] == 1000.0 * 2 * 4
    assert found["train_throughput_per_s_ci95"] == pytest.approx([1000.0 * 2 * 3.9, 1000.0 * 2 * 4.1])
    assert found["train_seconds"] == 6000 / 8000
    assert found["train_seconds_ci95"] == pytest.approx([6000 / 8200, 6000 / 7800])
    assert found["unstable"] == "the machine was busy"


def test_the_baseline_has_its_own_rate_and_no_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    found = figures(monkeypatch, TrainingPlan(batch_size=50), None)
    assert found["train_throughput_per_s"] == 50 / 0.002
    assert found["train_throughput_per_s_ci95"] == [25000.0, 25000.0]
    assert found["train_seconds"] == 0


def test_a_measurement_takes_the_figures_and_keeps_every_doubt() -> None:
    trained = {**figures_of_training(10.0, (1.0, 0.5, 2.0), 20), "unstable": "slow; busy"}
    found = with_training({"speedup": 2.0, "train_seconds": 9.0, "unstable": "loud"}, trained)
    assert (found["speedup"], found["train_seconds"], found["train_seconds_ci95"]) == (2.0, 2.0, [1.0, 4.0])
    assert found["unstable"] == "loud; training: slow; training: busy"
    assert with_training({"unstable": ""}, {"unstable": ""}) == {"unstable": ""}
