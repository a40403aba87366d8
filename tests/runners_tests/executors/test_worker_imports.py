"""A worker that has imported for its stages has what they need, in its server of fresh processes too."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from runners.executors.worker_imports import import_for_stages
from runners.processes.fresh_process import call_fresh
import_for_stages(sys.argv[1])
names = ("torch", "sklearn", "runners.lowering.onnx_export")
here = [name in sys.modules for name in names]
look = "[name in __import__('sys').modules for name in ('torch', 'torch._dynamo', 'sklearn')]"
there = call_fresh(eval, look, what="looking")
print(here, there)
"""


def test_libraries_are_imported_and_no_code_of_the_persons_is_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import sklearn\nfrom pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "mine.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "[True, True, True] [True, True, True]", done.stderr
    assert not (tmp_path / "ran").exists()
