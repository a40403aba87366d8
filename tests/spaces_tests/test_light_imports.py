"""Importing ``spaces`` is fast: no module of it loads a numerical library, but those that make networks."""

import pkgutil
import subprocess
import sys

import pytest

import spaces

HEAVY = {"torch", "torchvision", "torch_pruning", "numpy", "optuna", "ray", "mlflow", "onnx", "openvino", "nncf"}

APPLIED = "spaces.early_exits."
"""Modules of networks, which a technique imports where it is applied."""

MODULES = sorted(info.name for info in pkgutil.walk_packages(spaces.__path__, "spaces."))


def heavy_after(statements: str) -> set[str]:
    """The heavy packages that are loaded in a fresh process after ``statements``."""
    script = f"{statements}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split()) & HEAVY


def test_no_module_of_spaces_loads_a_heavy_package() -> None:
    assert heavy_after("\n".join(f"import {name}" for name in MODULES if not name.startswith(APPLIED))) == set()


def test_looking_through_the_techniques_loads_none_either() -> None:
    assert heavy_after("from spaces.space_document import all_techniques\nall_techniques()") == set()


@pytest.mark.parametrize("module", ["spaces.techniques.student_width", "spaces.presets", "spaces.slimming.slim"])
def test_the_list_of_modules_is_the_whole_tree(module: str) -> None:
    assert module in MODULES


def test_the_check_sees_a_heavy_package() -> None:
    assert heavy_after("import numpy") == {"numpy"}
