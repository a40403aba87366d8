"""Every worked example is checked, trained, made narrower, pruned, quantised and run in other runtimes."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from examples.made_data import make_flowers, make_houses

from runners.chains.chain import Chains
from runners.executors.local import LocalRunner
from runners.measuring.footprint import count_parameters
from runners.runner import StageOutcome
from runners.workload_loading.reference import resolve
from search.request.read_request import from_yaml
from spaces.configuration import Configuration
from spaces.space_document import make_space

HERE = Path(__file__).parent
SPACE = {"student_width": [1.0, 0.5], "channel_pruning": [0.0, 0.5], "numeric_precision": "all", "runtime": "all"}
EXAMPLES = {
    "text.py": 0.8,
    "series.py": 0.8,
    "two_inputs.py": 0.8,
    "flowers.yaml": 0.8,
    "houses.py": 0.8,
    "segmentation.py": 0.8,
}
"""What each candidate reaches at least of the example's own metric."""

CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "width, int8, ONNX Runtime": {"student_width": 0.5, "numeric_precision": "int8", "runtime": "onnxruntime"},
    "pruning, OpenVINO": {"channel_pruning": 0.5, "runtime": "openvino"},
}


class Bench:
    """The chains of one example, run in this process, with timings too short to mean anything."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.reference = _reference(name, folder)
        self.runner = LocalRunner(folder / "store")
        environment, facts = self.runner.inspect(self.reference, SPACE)
        space = make_space(SPACE, replace(environment, cpu_cores=1))
        self.chains = Chains(space, facts, self.reference, seed=0)
        self.parameters = count_parameters(resolve(self.reference).network())

    def last(self, choices: Mapping[str, Any]) -> StageOutcome:
        """The outcome of the first stage that fails, or of the measurement."""
        for task in self.chains.chain(Configuration({**self.chains.space.baseline(), **choices})):
            self.runner.submit(task)
            ((_, outcome),) = self.runner.wait(1.0)
            if outcome.failure:
                break
        return outcome


def _reference(name: str, folder: Path) -> Any:
    """The workload of an example that lies in ``folder``, beside the data that it reads."""
    for make in (make_flowers, make_houses):
        make(folder)
    file = Path(shutil.copy(HERE / name, folder))
    return from_yaml(file)["workload"] if file.suffix == ".yaml" else str(file)


@pytest.fixture(scope="module", params=EXAMPLES)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(request.param, tmp_path_factory.mktemp("bench"))


@pytest.fixture(autouse=True)
def short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runners.chains.chain.SEARCHING_S", 0.05)
    monkeypatch.setattr("runners.stages.measuring.SERVING_S", 0.05)


def test_no_width_and_no_pruning_is_off(bench: Bench) -> None:
    assert bench.chains.space.environment.model_limits == ()


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_a_candidate_of_an_example_is_made_and_measured(bench: Bench, candidate: str) -> None:
    outcome = bench.last(CANDIDATES[candidate])
    assert outcome.failure is None, outcome.failure
    assert outcome.result["parameters"] < bench.parameters
    assert outcome.result["accuracy"] >= EXAMPLES[bench.name]
