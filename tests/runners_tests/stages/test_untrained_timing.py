"""Candidates that are timed before they are trained: the same artifact, the same figures, each found once."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runners_tests.small_workload import write_small_workload
from torch import nn

from runners.backends import find_backend
from runners.chains.chain import Chains
from runners.executors.local import LocalRunner
from runners.measuring.measurement import Measurement, figures_of
from runners.runner import StageOutcome, StageTask
from runners.stages.settling import settle
from runners.training.level import TrainedLevel, train_level
from spaces.configuration import Configuration
from spaces.space_document import make_space

ARTIFACTS = [("int8", "openvino"), ("fp32", "openvino"), ("int8", "onnxruntime"), ("fp32", "eager")]
SPACE = {"student_width": [1.0, 0.5], "numeric_precision": "all", "runtime": "all"}


class Bench:
    """A runner with the chains of one workload."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.runner = LocalRunner(self.store)
        reference = write_small_workload(folder)
        environment, facts = self.runner.inspect(reference, SPACE)
        # On one core the threads of a small network do not wait for each other beside other tests.
        space = make_space(SPACE, replace(environment, cpu_cores=1))
        self.chains = Chains(space, facts, reference, 0, rungs=lambda epochs: (1, epochs))

    def candidate(self, precision: str, runtime: str) -> Configuration:
        """Half as wide."""
        choices = {"student_width": 0.5, "numeric_precision": precision, "runtime": runtime}
        return Configuration({**self.chains.space.baseline(), **choices})

    def run(self, tasks: tuple[StageTask, ...]) -> dict[str, StageOutcome]:
        """The outcomes by stage; of several trainings the last."""
        outcomes = {}
        for task in tasks:
            self.runner.submit(task)
            ((_, outcome),) = self.runner.wait(1.0)
            assert outcome.failure is None, outcome.failure
            outcomes[task.stage] = outcome
        return outcomes

    def entry(self, task: StageTask) -> Path:
        """The files of a stage that is done."""
        return self.store / "entries" / task.key[:2] / task.key / "files"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_screening_gives_speed_and_footprint_and_says_nothing_of_accuracy(bench: Bench) -> None:
    found = bench.run(bench.chains.screening(bench.candidate("int8", "openvino")))["measuring"].result
    unknown = {"accuracy", "accuracy_ci95", "accuracy_drop", "accuracy_drop_share", "train_seconds"}
    optional = {"accuracy_test", "accuracy_test_ci95", "accuracy_train"}
    optional |= {"arithmetic", "accuracy_drop_ci95", "accuracy_test_drop", "accuracy_test_drop_ci95"}
    optional |= {"train_seconds_ci95", "train_throughput_per_s", "train_throughput_per_s_ci95"}
    assert set(figures_of(found)) == set(Measurement.__dataclass_fields__) - unknown - optional
    assert {"baseline_p50_ms", "blocks", "machine"} <= set(found)


def test_a_screened_candidate_keeps_its_speed_and_is_evaluated_once_trained(bench: Bench) -> None:
    candidate = bench.candidate("int8", "openvino")
    speed = bench.run(bench.chains.screening(candidate))["measuring"].result
    outcomes = bench.run(bench.chains.chain(candidate, screened=True))
    measured, trained = outcomes["measuring"].result, outcomes["training"].result
    measurement = Measurement.from_json(figures_of(measured))
    timing = ("speedup", "latency_p50_ms", "throughput_per_s", "load_ms", "peak_memory_mib", "blocks", "machine")
    assert [measured[name] for name in timing] == [speed[name] for name in timing]
    assert measurement.train_seconds == trained["train_seconds"] > 0
    assert measurement.accuracy == pytest.approx(trained["accuracy"], abs=0.1), "int8 costs little"
    assert measurement.accuracy > 0.4, "four classes"


def test_both_forms_share_the_training_and_give_the_same_fields(bench: Bench) -> None:
    candidate = bench.candidate("int8", "openvino")
    bench.run(bench.chains.screening(candidate))
    screened = bench.run(bench.chains.chain(candidate, screened=True))
    at_once = bench.run(bench.chains.chain(candidate))
    assert all(outcome.from_store for stage, outcome in at_once.items() if stage != "measuring")
    assert set(at_once["measuring"].result) == set(screened["measuring"].result)
    assert at_once["measuring"].result["accuracy"] == screened["measuring"].result["accuracy"]


def test_each_level_tells_its_accuracy_and_the_time_of_all_training_so_far(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_two_seconds(*given: Any) -> TrainedLevel:
        return replace(train_level(*given), seconds=2.0)

    # In this process, where the line after it has an effect.
    monkeypatch.setattr("runners.stages.run.CALLING_NETWORKS", ())
    monkeypatch.setattr("runners.stages.training.train_level", in_two_seconds)
    chains = replace(bench.chains, rungs=lambda epochs: (2, epochs))
    tasks = [task for task in chains.chain(bench.candidate("fp32", "eager")) if task.stage != "measuring"]
    results = [bench.run((task,))[task.stage].result for task in tasks]
    first, second = (result for task, result in zip(tasks, results, strict=True) if task.stage == "training")
    assert (first["epochs"], second["epochs"]) == (2, 3)
    assert (first["train_seconds"], second["train_seconds"]) == (2.0, 4.0)
    for level in (first, second):
        low, high = level["accuracy_ci95"]
        assert 0 <= low <= level["accuracy"] <= high <= 1


def test_a_speed_that_is_lost_fails_the_evaluation_with_its_reason(bench: Bench) -> None:
    candidate = bench.candidate("fp32", "openvino")
    bench.run(bench.chains.screening(candidate))
    *building, evaluating = bench.chains.chain(candidate, screened=True)
    bench.run(tuple(building))
    lost = bench.store / "entries" / evaluating.inputs["speed"][:2] / evaluating.inputs["speed"]
    shutil.rmtree(lost)
    bench.runner.submit(evaluating)
    ((_, outcome),) = bench.runner.wait(1.0)
    assert outcome.failure is not None
    assert "its speed" in outcome.failure
    assert "the stage store" in outcome.failure


@pytest.mark.parametrize(("precision", "runtime"), ARTIFACTS)
def test_an_untrained_artifact_is_built_like_the_trained_one(bench: Bench, precision: str, runtime: str) -> None:
    candidate = bench.candidate(precision, runtime)
    untrained, trained = bench.chains.screening(candidate)[:-1], bench.chains.chain(candidate)[:-1]
    sizes = [bench.run(tasks)["lowering"].result["size_mib"] for tasks in (untrained, trained)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)
    built = [operations(bench.entry(tasks[-1]), runtime) for tasks in (untrained, trained)]
    assert built[0] == built[1]
    assert sum(built[0].values()) > 5
    example = np.zeros((1, 1, 8, 8), np.float32)
    answers = [
        find_backend(runtime).open(bench.entry(tasks[-1]), threads=1, batch=1, build=build)(example)
        for tasks, build in ((untrained, _network(bench)), (trained, _network(bench)))
    ]
    assert answers[0].shape == answers[1].shape == (1, 4)
    assert not np.array_equal(*answers), "they are two networks"


def _network(bench: Bench) -> Any:
    from runners.workload_loading.reference import resolve

    return resolve(bench.chains.workload).model


def operations(folder: Path, runtime: str) -> Counter[Any]:
    """How often each operation or tensor of a shape is in the artifact."""
    if runtime == "openvino":
        import openvino

        nodes = openvino.Core().read_model(next(folder.glob("*.xml"))).get_ops()
        return Counter((node.get_type_name(), str(node.output(0).partial_shape)) for node in nodes if node.outputs())
    if runtime == "onnxruntime":
        import onnx

        graph = onnx.load(next(folder.glob("*.onnx"))).graph
        shapes = [("", tuple(tensor.dims)) for tensor in graph.initializer]
        return Counter([(node.op_type, ()) for node in graph.node] + shapes)
    from safetensors.torch import load_file

    return Counter(
        (name, tuple(tensor.shape)) for name, tensor in load_file(next(folder.glob("*.safetensors"))).items()
    )


def test_a_deep_untrained_network_answers_only_once_it_is_settled() -> None:
    torch.manual_seed(0)
    layers = [[nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()] for _ in range(150)]
    network = nn.Sequential(nn.Conv2d(1, 8, 1, bias=False), *(part for layer in layers for part in layer)).eval()
    images = torch.randn(16, 1, 8, 8)
    with torch.no_grad():
        faded = network(images).abs().max()
        settle(network, (images,))
        settled = network(images).abs().max()
    assert faded < torch.finfo(torch.float32).tiny, "numbers that a processor handles slowly"
    assert 0.01 < settled < 10_000
    assert not network.training
    assert not any(module.training for module in network.modules())


def test_evaluating_leaves_the_machine_to_others_and_timing_does_not(bench: Bench) -> None:
    candidate = bench.candidate("int8", "openvino")
    evaluating, timing = bench.chains.chain(candidate, screened=True)[-1], bench.chains.screening(candidate)[-1]
    assert (evaluating.exclusive, evaluating.cpus) == (False, 1)
    assert timing.exclusive
    assert timing.settings["splits"] == []
