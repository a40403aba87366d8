"""How well the driver keeps many workers busy: work done / (workers x makespan), on a simulated clock.

    python tests/benchmarks/scheduling.py --workers 64 --trials 1000           seconds to minutes, a table
    python tests/benchmarks/scheduling.py --workers 64 --trials 1000 --json    one JSON document on stdout
    python tests/benchmarks/scheduling.py --workers 1000 --trials 3000 --clock cpu    long: see the guide of runners

Each worker is a machine with a single device and carries out one stage at a time, so that a measurement has its device
to itself as in a real search. What a stage takes is drawn from a log-normal distribution of that stage's mean, by a
seed and the stage's key: the slowest training of a thousand takes about ten times as long as the one in the middle.
The work is the sum of what the stages took, each counted once. The makespan runs from the first stage to the last: the
baseline and the calibration, for which the other workers wait, and the drain at the end, when nothing is left to begin,
count in full. So does the driver's own time, as it passes on this machine: the simulated clock runs on while the driver
computes. With ``--clock cpu`` only the time of its processor counts, for a machine that others use too; then what the
disk takes for SQLite's commits is left out.
``efficiency_until_the_drain`` leaves out what comes after the last trial has begun. ``drivers_share`` is the driver's
own time over the makespan: near 1 it is the driver that the workers wait for. ``per_trial_ms`` is its own time for a
trial, with the screenings that come before it, and ``peak_memory_mib`` the resident memory of its process.
"""

import argparse
import hashlib
import json
import math
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

from parts.large_study import FACTS, MACHINE, driver_of, home_in, make_chains, open_study, table

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.study.study import TrialRecord

MEAN_S: Mapping[str, float] = {
    "teacher": 60.0,
    "transforming": 5.0,
    "settling": 5.0,
    "soft_targets": 5.0,
    "training": 300.0,
    "quantising": 20.0,
    "lowering": 10.0,
    "measuring": 15.0,
    "calibrating": 15.0,
}
"""What a stage takes in the mean; a training is split into its levels by their epochs."""
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
SIGMA = 0.4
"""Of the logarithm of what a stage takes."""


class Workers(SimulatedRunner):
    """Simulated workers whose clock runs on while the driver computes.

    Attributes:
        busy: When each stage began and ended, in simulated seconds.
        own_s: Seconds that the driver computed.
    """

    def __init__(self, workers: int, seed: int, clock: str) -> None:
        self._now = CLOCKS[clock]
        super().__init__(MACHINE, FACTS, table, seconds=lambda task: seconds_of(task, seed), workers=workers)
        self.busy: list[tuple[float, float]] = []
        self.own_s = 0.0
        self._returned = self._now()

    def submit(self, task: StageTask) -> None:
        self._add_own_time()
        worked, begin = self.worked_s, max(self.clock_s, self._free_at[0])
        super().submit(task)
        self.busy.append((begin, begin + self.worked_s - worked))
        self._returned = self._now()

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        self._add_own_time()
        now = self.clock_s
        ended = super().wait(timeout_s)
        self.clock_s = max(now, self.clock_s)
        self._returned = self._now()
        return ended

    def _add_own_time(self) -> None:
        passed = self._now() - self._returned
        self.own_s += passed
        self.clock_s += passed

    def work_until(self, moment_s: float) -> float:
        """Seconds of work that were done by then."""
        return sum(max(0.0, min(end, moment_s) - begin) for begin, end in self.busy)


def seconds_of(task: StageTask, seed: int) -> float:
    """What ``task`` takes: the same in every run with this seed, whatever the order."""
    digest = hashlib.sha256(f"{seed} {task.key}".encode()).digest()
    share = (int.from_bytes(digest[:8]) + 0.5) / 2**64
    return MEAN_S[task.stage] * math.exp(SIGMA * NormalDist().inv_cdf(share) - SIGMA**2 / 2)


class LastBegun:
    """An observer that notes when the last trial began."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._known: set[int | None] = set()
        self.begun_s = 0.0

    def stage_started(self, trial: int | None, stage: str) -> None:
        if trial not in self._known:
            self._known.add(trial)
            self.begun_s = self._workers.clock_s

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        pass

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def measure(workers: int, trials: int, seed: int, sampler: str | None, clock: str) -> dict[str, Any]:
    """Run a whole study and take account of its workers."""
    runner = Workers(workers, seed, clock)
    observer = LastBegun(runner)
    with tempfile.TemporaryDirectory() as folder:
        study = open_study(home_in(Path(folder)))
        driver_of(study, make_chains(), runner, observer, trials, sampler).run()
        del study
    drained = runner.work_until(observer.begun_s) / (workers * observer.begun_s)
    return {
        "efficiency": runner.worked_s / (workers * runner.clock_s),
        "settings": {
            "workers": workers,
            "trials": trials,
            "seed": seed,
            "sampler": sampler or "default",
            "clock": clock,
            "mean_s": dict(MEAN_S),
            "sigma": SIGMA,
            "efficiency_until_the_drain": drained,
            "makespan_s": runner.clock_s,
            "drain_s": runner.clock_s - observer.begun_s,
            "longest_stage_s": max(end - begin for begin, end in runner.busy),
            "drivers_own_s": runner.own_s,
            "drivers_share": runner.own_s / runner.clock_s,
            "per_trial_ms": 1e3 * runner.own_s / trials,
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
    }


def as_table(figures: dict[str, Any]) -> str:
    """The figures, one a line."""
    settings = figures["settings"]
    times = ("makespan_s", "drain_s", "longest_stage_s", "drivers_own_s", "drivers_share", "per_trial_ms")
    shown = ("efficiency_until_the_drain", *times, "peak_memory_mib")
    rows = {"efficiency (goal 0.95)": figures["efficiency"], **{name: settings[name] for name in shown}}
    return "\n".join(f"{name:28} {value:10.4g}" for name, value in rows.items())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampler", help="another sampler than a search's own")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help="how the driver's own time is counted")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.workers, options.trials, options.seed, options.sampler, options.clock)
    print(json.dumps(figures) if options.json else as_table(figures))


if __name__ == "__main__":
    main()
