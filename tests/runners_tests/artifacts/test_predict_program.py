"""What ``predict.py`` prints: the place of the largest of several outputs, and one output as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from runners.artifacts.predict_program import predict_source

DOCUMENT = {
    "input": {"name": "input", "dtype": "float32", "shape": [None, 3]},
    "runtime": {"name": "eager", "package": "numpy", "threads": 1},
    "versions": {},
}


@pytest.mark.parametrize(
    ("outputs", "printed"),
    [
        ("[[0.0, 4.0], [3.0, 1.0]]", ["output shape (2, 2)", "argmax [1, 0]"]),
        ("[[1.5], [-2.0]]", ["output shape (2, 1)", "outputs [1.5, -2.0]"]),
    ],
)
def test_it_prints_classes_or_values(outputs: str, printed: list[str], tmp_path: Path) -> None:
    loader = f"def load(folder, threads):\n    return lambda inputs: np.array({outputs}, np.float32)"
    program = tmp_path / "predict.py"
    program.write_text(predict_source(loader, DOCUMENT, None))
    done = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (printed, "")
