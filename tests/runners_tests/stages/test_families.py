"""Every family of torchvision's classifiers goes through every technique and every runtime of this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "families.py"
FAMILIES = (
    "alexnet",
    "vgg",
    "resnet",
    "resnext",
    "wide_resnet",
    "densenet",
    "inception",
    "googlenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "efficientnet",
    "efficientnet_v2",
    "squeezenet",
    "shufflenet",
    "mnasnet",
    "regnet",
    "convnext",
    "vit",
    "swin",
    "maxvit",
)
LIMITS = (
    "does not support",
    "needs ",
    "has no bf16 instructions",
    "ncnn has no operator for",
    "ncnn computes convolutions",
)
"""What may keep a cell from being offered: the runtime lacks the format or an operator, or this machine something."""


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_technique_gives_the_outputs_of_its_network_in_every_runtime(family: str) -> None:
    """The shapes are right, all numbers finite, and near those of PyTorch; minutes for each family."""
    program = [sys.executable, BENCHMARK, "--json", "--family", family]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = json.loads(done.stdout)["cells"]
    assert {cell["technique"] for cell in cells} == {"as it is", "width 0.5", "pruning 0.5", "bf16", "int8"}
    assert [cell for cell in cells if cell["status"] == "failed"] == []
    off = [cell["reason"] for cell in cells if cell["status"] == "not offered"]
    assert [reason for reason in off if not any(why in reason for why in LIMITS)] == []
