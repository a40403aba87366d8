"""A search of several hundred trials whose workers die: the driver's memory and open files stay as they are."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from search_tests.command import document, frontrunner

SOAK = Path(__file__).with_name("soak.py")
TRIALS = int(os.environ.get("SOAK_TRIALS", "400"))
KEPT_MIB_PER_TRIAL = 0.1
"""A trial is kept by Optuna's cache, by the sampler and by the front: a few kilobytes, and room for the allocator."""


@pytest.mark.slow
@pytest.mark.faults("worker died")
def test_a_long_search_with_dying_workers_ends_and_holds_no_more_at_its_end(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    home = tmp_path / "home"
    done = subprocess.run([sys.executable, SOAK, str(TRIALS), home], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    begin, middle, end = lines[0], lines[len(lines) // 2], lines[-1]
    print(f"\n{TRIALS} trials; at the beginning {begin}, in the middle {middle}, at the end {end}")
    record_property("tried", end["died"])
    assert end["died"] > TRIALS / 10
    assert end["files"] <= middle["files"] + 2
    assert end["threads"] <= middle["threads"] + 2
    assert end["memory_mib"] - middle["memory_mib"] < 10 + KEPT_MIB_PER_TRIAL * TRIALS / 2
    trials = document(frontrunner("front", "soak", "--home", home, "--all", "--json", cwd=tmp_path))["all"]
    states = Counter(trial["state"] for trial in trials)
    print(dict(states))
    assert states.total() == TRIALS
    assert set(states) <= {"complete", "failed", "stopped"}
    assert states["complete"] > TRIALS / 10
