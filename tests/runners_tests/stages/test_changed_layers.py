"""Networks whose layers several techniques changed are written, made again in a fresh process, and exported to ONNX."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spaces_tests.small_network import make_network

from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.onnx_session import open_session
from runners.lowering.recipe import recipe_of
from runners.lowering.weights import load_network, save_network
from runners.measuring.footprint import count_macs
from runners.stages.transforming import change_network, initial_network
from runners.workloads.synthetic import WORKLOAD as SYNTHETIC
from spaces.configuration import Scalar
from spaces.model_context import ModelContext
from spaces.space_document import all_techniques

WORKLOAD = replace(SYNTHETIC, model=make_network)
EXAMPLE = ExampleInputs.of(np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8))

TOGETHER: dict[str, dict[str, Scalar]] = {
    "a student": {"student_depth": 0.5, "student_stem": "small", "student_width": 0.5, "channel_pruning": 0.5},
    "another family": {"student": "shufflenet_v2_x0_5", "student_depth": 0.5, "student_width": 0.5},
    "a pruned network": {
        "block_pruning": 0.5,
        "channel_pruning": 0.25,
        "input_resolution": 0.75,
        "low_rank": 0.6,
    },
}


def changed(choices: dict[str, Scalar]) -> Any:
    """The workload's network with all ``choices``, in the order of their techniques."""
    torch.manual_seed(0)
    network: Any = make_network().eval()
    example = tuple(map(torch.from_numpy, EXAMPLE.arrays))
    for technique in all_techniques():
        own = {p.name: choices[p.name] for p in technique.parameters if p.name in choices}
        if own:
            initial = partial(initial_network, WORKLOAD, recipe_of(network))
            network = change_network(network, technique, own, ModelContext(example, 0, initial))
    return network.eval()


@pytest.mark.parametrize("name", TOGETHER)
def test_changes_together_are_stored_and_exported(name: str, tmp_path: Path) -> None:
    network = changed(TOGETHER[name])
    names = [change["technique"] for change in recipe_of(network)]
    assert names == [each for each in TOGETHER[name] if each not in ("student_width", "channel_pruning")]
    save_network(network, tmp_path)
    again: Any = load_network(make_network, tmp_path)
    assert count_macs(again, EXAMPLE.arrays) == count_macs(network, EXAMPLE.arrays)
    inputs = np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs))
        torch.testing.assert_close(again(torch.from_numpy(inputs)), expected)
    export(again, EXAMPLE, tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx", 1)
    given = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    np.testing.assert_allclose(given, expected.numpy(), atol=1e-4)


def test_they_are_made_again_in_a_fresh_process(tmp_path: Path) -> None:
    network = changed(TOGETHER["a pruned network"])
    save_network(network, tmp_path)
    program = (
        "import sys; from pathlib import Path; import torch\n"
        "from spaces_tests.small_network import make_network\n"
        "from runners.lowering.weights import load_network\n"
        "print(load_network(make_network, Path(sys.argv[1]))(torch.ones(1, 1, 8, 8)).flatten().tolist())"
    )
    root = Path(__file__).parents[2]
    run = [sys.executable, "-c", f"import sys; sys.path.append({str(root)!r})\n{program}", str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    expected = network(torch.ones(1, 1, 8, 8)).flatten().tolist()
    assert eval(done.stdout) == pytest.approx(expected, abs=1e-5)


def test_new_layers_of_a_pretrained_models_student_keep_the_values_that_their_family_gives() -> None:
    """Layers of the workload's own are drawn anew; those that a technique puts in start as their library does it."""
    workload = replace(WORKLOAD, pretrained=True)
    recipe = [{"technique": "student", "record": {"family": "resnet18", "classes": 4, "size": [1, 32, 32]}}]
    student = initial_network(workload, recipe)
    spread = float(student.layer4[1].conv2.weight.detach().std())  # type: ignore[index, union-attr]
    assert spread == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02), "He's for the fan out, as torchvision's ResNets"


def test_a_student_gets_no_weights_that_the_model_loads() -> None:
    torch.manual_seed(7)
    backbone = make_network()[0].weight.detach().clone()

    def load() -> torch.nn.Module:
        network: Any = make_network()
        network[0].weight.data.copy_(backbone)
        network[0].requires_grad_(False)
        return network

    torch.manual_seed(3)
    drawn = load()
    torch.manual_seed(3)
    student: Any = initial_network(replace(WORKLOAD, model=load))
    assert not torch.equal(student[0].weight, backbone)
    assert student[0].weight.requires_grad
    for (name, weight), other in zip(student.named_parameters(), drawn.parameters(), strict=True):
        assert torch.equal(weight, other) != name.startswith("0."), "what the model draws stays as it drew it"
