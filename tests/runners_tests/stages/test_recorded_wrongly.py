"""A network that decides on its data is recorded one way by a runtime: its trials fail, before anything is timed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runners.backend import Trained
from runners.backends import find_backend
from runners.chains.chain import Chains
from runners.chains.post_training import PostTrainingChains
from runners.executors.local import LocalRunner
from runners.runner import StageFailed, StageTask
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration
from spaces.space_document import make_space

SOURCE = """
import numpy as np
from torch import nn
from runners.workload import Workload
from spaces.plans import TrainingPlan


class EarlyExit(nn.Module):
    '''Leaves the deeper part out where every input of the batch has a large number.'''

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(8, 32), nn.ReLU())
        self.deeper = nn.Sequential(nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, 3)

    def forward(self, inputs):
        features = self.first(inputs)
        if inputs.amax(1).min() > 2.5:
            return self.head(features)
        return self.head(self.deeper(features))


def data():
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 300)
    inputs = (random.normal(size=(300, 8)) + np.eye(3, 8)[targets]).astype(np.float32)
    return {
        name: (inputs[part], targets[part])
        for name, part in (("train", slice(200)), ("validation", slice(200, 250)), ("test", slice(250, 300)))
    }


WORKLOAD = Workload("early", EarlyExit, data, training=TrainingPlan(epochs=1))
"""

SPACE = {"student_width": [1.0, 0.5], "numeric_precision": "all", "runtime": "all"}


class Bench:
    """A runner with the chains of that workload."""

    def __init__(self, folder: Path) -> None:
        (folder / "early.py").write_text(SOURCE)
        self.runner = LocalRunner(folder / "store")
        environment, facts = self.runner.inspect(str(folder / "early.py"), {})
        space = make_space(SPACE, replace(environment, cpu_cores=1))
        self.chains = Chains(space, facts, str(folder / "early.py"), 0)

    def candidate(self, **choices: float | str) -> Configuration:
        return Configuration({**self.chains.space.baseline(), **choices})

    def failure(self, tasks: tuple[StageTask, ...]) -> str | None:
        """That of the first of ``tasks`` that fails."""
        for task in tasks:
            self.runner.submit(task)
            ((_, outcome),) = self.runner.wait(1.0)
            if outcome.failure:
                return outcome.failure
        return None


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("early"))


@pytest.mark.parametrize("runtime", ["torchscript", "onnxruntime", "openvino"])
def test_what_is_recorded_once_fails_with_the_size_of_the_mismatch(bench: Bench, runtime: str) -> None:
    failure = bench.failure(bench.chains.chain(bench.candidate(runtime=runtime)))
    assert failure is not None
    assert failure.startswith("measuring: ")
    assert "gives other outputs than the network it was lowered from" in failure
    assert re.search(r"in \d+ of 50 rows called alone, by up to \d", failure), failure


def test_a_program_of_torch_export_is_refused_with_the_branch(bench: Bench, tmp_path: Path) -> None:
    workload, backend = resolve(bench.chains.workload), find_backend("eager")
    lowered, shipped = tmp_path / "lowered", tmp_path / "shipped"
    lowered.mkdir(), shipped.mkdir()
    backend.lower(Trained(workload.network().eval(), lambda: tmp_path, workload.example_inputs, "fp32"), lowered)
    with pytest.raises(StageFailed, match=r"torch.export cannot write this network .*data-dependent"):
        backend.ship(lowered, shipped, workload.network, workload.example_inputs)


def test_an_untrained_student_fails_before_it_is_trained(bench: Bench) -> None:
    screening = bench.chains.screening(bench.candidate(runtime="torchscript", student_width=0.5))
    assert screening
    assert "other outputs than the network" in str(bench.failure(screening))


def test_an_export_fails_before_it_is_quantised(bench: Bench) -> None:
    failure = bench.failure(bench.chains.chain(bench.candidate(runtime="onnxruntime", numeric_precision="int8")))
    assert failure is not None
    assert failure.startswith("quantising: ")
    assert "other outputs than the network" in failure


def test_every_kind_of_chain_compares_an_artifact_with_the_network_that_it_was_lowered_from(bench: Bench) -> None:
    chains, student = bench.chains, bench.candidate(runtime="torchscript", student_width=0.5)
    as_it_is = make_space({"runtime": "all"}, chains.space.environment)
    post_training = PostTrainingChains(as_it_is, chains.facts, chains.workload, 0)
    kinds = (
        chains.screening(student),
        chains.chain(student),
        chains.chain(student, screened=True),
        post_training.chain(Configuration({**as_it_is.baseline(), "runtime": "torchscript"})),
    )
    for tasks in kinds:
        lowering = next(task for task in tasks if task.stage == "lowering")
        first = next(task for task in tasks if task.inputs.get("parent") == lowering.key)
        assert first.inputs["network"] == lowering.inputs["parent"], first.stage
