"""The chains of a study that tries everything: what its configurations share, and that they can be carried out."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spaces_tests.environments import LAPTOP

from runners.backends import find_backend
from runners.chains import post_training
from runners.chains.candidate_stages import SCREENING_IMAGES, CandidateStages
from runners.chains.post_training import PostTrainingChains
from runners.executors.local import LocalRunner
from runners.measuring.measurement import Measurement, figures_of
from runners.runner import StageTask, WorkloadFacts
from spaces.configuration import Configuration
from spaces.environment import BackendFacts
from spaces.space_document import make_space

SPACE = {"numeric_precision": "all", "runtime": "all", "threads": "all"}
FACTS = WorkloadFacts("digits", "f" * 64, pretrained=True)
EXAMPLE = Path(__file__).parents[2] / "examples" / "trained.py"


def stages_of(chains: PostTrainingChains) -> dict[str, StageTask]:
    """All stages of all configurations, each once."""
    return {t.key: t for one in chains.space.configurations() for t in chains.chain(one)}


def count(tasks: dict[str, StageTask], stage: str) -> int:
    return sum(task.stage == stage for task in tasks.values())


def test_all_work_but_the_timing_is_shared() -> None:
    chains = PostTrainingChains(make_space(SPACE, LAPTOP), FACTS, "digits", 0)
    tasks = stages_of(chains)
    artifacts, threads = 8, 2
    assert count(tasks, "measuring") == artifacts * threads == len(list(chains.space.configurations()))
    for stage, times in (
        ("teacher", 1),
        ("exporting", 1),
        ("quantising", 2),
    ):  # in the form that is fast in each runtime
        assert count(tasks, stage) == times
    for stage in ("lowering", "evaluating"):
        assert count(tasks, stage) == artifacts
    alone = {task.stage for task in tasks.values() if task.exclusive}
    assert alone == {"measuring"}  # beside all else another stage may run


def test_a_runtime_that_quantises_itself_is_given_no_quantised_file_and_fewer_examples_where_it_is_only_timed() -> None:
    facts = BackendFacts(("int8",), quantises=True)
    machine = replace(LAPTOP, backends={**LAPTOP.backends, "executorch": facts})
    space = make_space({"numeric_precision": ["int8"], "runtime": ["executorch"]}, machine)
    (candidate,) = space.configurations()
    stages = [task.stage for task in PostTrainingChains(space, FACTS, "digits", 0).chain(candidate)]
    assert stages == ["teacher", "lowering", "evaluating", "measuring"]
    chains = CandidateStages(space, FACTS, "digits", 0, lambda epochs: (epochs,))
    teacher = chains.teacher(candidate)
    (trained,) = chains.lowering(candidate, teacher)
    (screened,) = chains.lowering(candidate, teacher, screened=True)
    assert "images" not in trained.settings
    assert screened.settings["images"] == SCREENING_IMAGES


def test_every_stage_comes_after_its_inputs() -> None:
    chains = PostTrainingChains(make_space({**SPACE, "threads": [2]}, LAPTOP), FACTS, "digits", 0)
    for configuration in (chains.space.baseline(), *chains.space.configurations()):
        done: set[str] = set()
        for task in chains.chain(configuration):
            assert set(task.inputs.values()) <= done
            done.add(task.key)


def test_replicas_serve_where_a_quantity_of_serving_is_asked_for() -> None:
    chains = PostTrainingChains(make_space(SPACE, LAPTOP), FACTS, "digits", 0, serves=True)
    assert all(t.settings["serves"] for t in stages_of(chains).values() if t.stage == "measuring")


def test_members_are_compared_by_their_artifacts_and_none_is_measured_once_more() -> None:
    chains = PostTrainingChains(make_space(SPACE, LAPTOP), FACTS, "digits", 0)
    baseline = chains.space.baseline()
    (artifact,) = [task.key for task in chains.chain(baseline) if task.stage == "lowering"]
    assert chains.comparing({0: baseline}, 1).inputs["trial 0"] == artifact
    with pytest.raises(NotImplementedError, match="does not measure its front once more"):
        chains.final(baseline, 1)


def test_the_baseline_is_calibrated_in_one_process() -> None:
    chains = PostTrainingChains(make_space(SPACE, LAPTOP), FACTS, "digits", 0)
    assert chains.calibrating("study", (1, 2)).settings["processes"] == 1


def test_a_trained_model_and_inputs_alone_are_enough_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = str(shutil.copy(EXAMPLE, tmp_path))
    monkeypatch.setattr(post_training, "TIMING_S", 0.05)
    monkeypatch.setattr(type(find_backend("eager")), "for_this_machine", True)  # whose settings name the machine, too
    runner = LocalRunner(tmp_path / "store")
    choices: dict[str, Any] = {**SPACE, "runtime": ["eager", "onnxruntime"], "threads": [1]}
    environment, facts = runner.inspect(workload, choices)
    assert (facts.metric, facts.examples) == ("agreement", {"validation": 48, "calibration": 12})
    space = make_space({**choices, "numeric_precision": ["fp32", "int8"]}, replace(environment, cpu_cores=1))
    chains = PostTrainingChains(space, facts, workload, 0)
    accuracies = {}
    for configuration in space.configurations():
        for task in chains.chain(configuration):
            runner.submit(task)
            ((_, outcome),) = runner.wait(60)
            assert outcome.failure is None, outcome.failure
        figures = Measurement.from_json(figures_of(outcome.result))
        assert figures.speedup > 0
        assert figures.size_mib > 0
        assert figures.throughput_per_s is None
        accuracies[_named(configuration)] = figures.accuracy
    assert len(accuracies) == 3
    assert all(accuracies[name] == 1.0 for name in accuracies if "fp32" in name)
    assert all(accuracies[name] >= 0.8 for name in accuracies)


def _named(configuration: Configuration) -> str:
    return f"{configuration['runtime']} {configuration['numeric_precision']}"
