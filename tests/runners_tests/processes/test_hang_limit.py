"""A process that does nothing ends itself, whoever holds Python's lock; one that makes progress does not."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, time
from runners.processes.progress import report_progress
from runners.processes.hang_limit import ended_where_it_hangs

def work():
    for _ in range(6):
        time.sleep(0.5)
        report_progress()

with ended_where_it_hangs(2.0):
    HAPPENS
print("done")
time.sleep(2.5)
report_progress()
print("and later")
"""


@pytest.mark.parametrize(
    ("happens", "printed", "code"),
    [
        ("time.sleep(60)", "", 1),
        ("ctypes.PyDLL(None).sleep(60)", "", 1),  # a call of C that keeps the lock
        ("work()", "done\nand later\n", 0),
    ],
    ids=["sleeps", "holds the lock", "makes progress"],
)
def test_a_process_that_does_nothing_is_ended(happens: str, printed: str, code: int) -> None:
    program = PROGRAM.replace("HAPPENS", happens)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.returncode) == (printed, code), done.stderr
    assert ("Timeout" in done.stderr) is (code == 1)
