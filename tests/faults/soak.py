"""A search of several hundred simulated trials whose workers die now and then; run as a program, in its own process.

``soak.py TRIALS HOME`` prints a line of JSON after every so many stages: how many have ended, and the memory, the open
files and the threads of the driver. The database, the spool and MLflow are real.
"""

import gc
import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

import psutil
from search_tests.simulation import FACTS, MACHINE, table

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.commands.search import run_search
from search.request.read_request import merge
from spaces.configuration import Configuration

SPACE = {
    "student_width": [round(1.0 - 0.02 * step, 2) for step in range(45)],
    "channel_pruning": [0.0, 0.2, 0.4, 0.6],
    "numeric_precision": "all",
    "runtime": "all",
}
EVERY = 200
"""Stages between two lines."""
WORKER_DIES, CANDIDATE_FAILS = 0.1, 0.05
"""The shares of stages and of configurations."""


class DyingWorkers(SimulatedRunner):
    """A table whose workers die: what they had computed is lost then."""

    def __init__(self) -> None:
        super().__init__(MACHINE, FACTS, self._figures_of, workers=2)
        self._random = random.Random(0)
        self._ended = self.died = 0

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        return [(task, self._perhaps_lost(task, outcome)) for task, outcome in super().wait(timeout_s)]

    def _perhaps_lost(self, task: StageTask, outcome: StageOutcome) -> StageOutcome:
        self._ended += 1
        if self._ended % EVERY == 0:
            self.print_line()
        if self._random.random() >= WORKER_DIES or not task.configuration:
            return outcome
        self.died += 1
        self._done.pop(task.key, None)
        return StageOutcome({}, failure=f"{task.stage}: its process died", failure_kind="process")

    def _figures_of(self, configuration: Configuration) -> Mapping[str, Any]:
        if random.Random(configuration.canonical()).random() < CANDIDATE_FAILS:
            raise ValueError("its outputs are not finite")
        return table(configuration)

    def print_line(self) -> None:
        """What this process holds now."""
        gc.collect()
        driver = psutil.Process()
        figures = {
            "stages": self._ended,
            "died": self.died,
            "memory_mib": round(driver.memory_info().rss / 2**20, 1),
            "files": driver.num_fds(),
            "threads": driver.num_threads(),
        }
        print(json.dumps(figures), file=sys.stderr, flush=True)


if __name__ == "__main__":
    trials, home = int(sys.argv[1]), sys.argv[2]
    settings = {"study": "soak", "workload": "digits", "space": SPACE, "trials": trials, "home": home}
    runner = DyingWorkers()
    run_search(merge({}, {**settings, "sampler": "random"}), as_json=True, runner=runner)
    runner.print_line()
