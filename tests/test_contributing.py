"""The examples in CONTRIBUTING.md are complete: each is written to a file of its own and used."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from spaces_tests.technique_contract import RULES, Rule

from runners.backend import Backend, Trained
from runners.inputs import ExampleInputs
from runners.workload import SPLITS
from runners.workloads.synthetic import make_network
from spaces.space_document import all_techniques
from spaces.technique import Technique

CONTRIBUTING = Path(__file__).resolve().parent.parent / "CONTRIBUTING.md"


def example(name: str) -> str:
    """The source of the example that is marked ``name``."""
    marked = rf"^<!-- example: {name} -->\n```python\n(.*?)^```$"
    (source,) = re.findall(marked, CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(source)


def loaded(name: str, folder: Path) -> ModuleType:
    """The module that the example makes as a file."""
    file = folder / f"example_{name}.py"
    file.write_text(example(name), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_three_sections_are_a_technique_a_backend_and_a_workload() -> None:
    headings = re.findall(r"^## (.*)$", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:3] == ["Add a technique", "Add a backend", "Add a workload"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_example_of_a_technique_keeps_the_contract(rule: Rule, tmp_path: Path) -> None:
    technique: Technique = loaded("technique", tmp_path).TECHNIQUE
    order = sorted([*all_techniques(), technique], key=lambda one: (one.stage, one.name))
    rule(technique, order)


def test_the_example_of_a_technique_does_what_it_says(tmp_path: Path) -> None:
    network = loaded("technique", tmp_path).TECHNIQUE.apply(make_network(), {"kernel_crop": 1}, None)
    assert [layer.kernel_size for layer in network if isinstance(layer, torch.nn.Conv2d)] == [(1, 1), (1, 1)]


def test_the_example_of_a_backend_agrees_with_the_network(tmp_path: Path) -> None:
    backend: Backend = loaded("backend", tmp_path).BACKEND
    network = make_network().eval()
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    backend.lower(
        Trained(network, lambda: artifact, ExampleInputs.of(np.zeros((1, 1, 8, 8), np.float32)), "fp32"), artifact
    )
    names: dict[str, object] = {}
    exec(backend.loader_source(), names)
    inputs = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs)).numpy()
    assert backend.unsupported() is None
    assert (artifact / backend.artifact).is_file()
    np.testing.assert_allclose(backend.open(artifact, threads=1, batch=5)(inputs), expected, atol=1e-5)
    np.testing.assert_allclose(names["load"](artifact, 1)(inputs), expected, atol=1e-5)  # type: ignore[operator]


def test_the_example_of_a_workload_keeps_its_contract(tmp_path: Path) -> None:
    workload = loaded("workload", tmp_path).WORKLOAD
    assert [len(workload.splits[name]) for name in SPLITS] == [600, 200, 200]
    inputs, targets = workload.splits["train"].batch(np.arange(7))
    assert inputs.dtype == np.float32
    outputs = workload.model()(torch.from_numpy(inputs)).detach().numpy()
    assert outputs.shape == (7, 2)
    assert 0 <= workload.metric(outputs, targets) <= 1
