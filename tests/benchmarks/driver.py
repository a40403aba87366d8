"""What the driver itself costs: its time for a trial, opening a large study again, and the study's front.

    python tests/benchmarks/driver.py --trials 1000           half a minute, a table
    python tests/benchmarks/driver.py --trials 1000 --json    one JSON document on stdout

The study is kept in SQLite in a home of its own. Its first 90 % are complete trials that are added as they are, which
takes some 20 ms each; the last 10 % are run by the real driver with the sampler of a search, on a runner that answers
at once. Of these,
``per_trial_ms`` is the median time from the end of one trial to the end of the next, less the time inside the runner:
asking, recording, telling and the front together. Then a fresh process opens the study (``reopen_s``, from the first
call to the last record, with imports done) and makes the document of its front (``front_s``, the first time it does).
``peak_memory_mib`` is the resident memory of the process of the driver.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from parts.large_study import FACTS, MACHINE, driver_of, fill, home_in, make_chains, open_study, table

from runners.executors.simulated import SimulatedRunner
from runners.runner import StageOutcome, StageTask
from search.front.front_document import front_document
from search.study.study import TrialRecord, records

GOALS = {
    "per_trial_ms": {1000: ("60", "34 (Optuna's TPE in memory)"), 10_000: ("", "53 (Optuna with SQLite)")},
    "reopen_s": {10_000: ("6", "5.1 (Optuna with SQLite)")},
    "front_s": {10_000: ("0.05", "1.5 (Optuna's best_trials)")},
}
"""(goal, anchor) of some numbers of trials."""
METRICS = ("per_trial_ms", "reopen_s", "front_s", "peak_memory_mib")
SHARE = 0.1
"""How much of the study the real driver runs."""


class TimedRunner(SimulatedRunner):
    """Adds up how long is spent in it, which is not the driver's."""

    inside_s = 0.0

    def submit(self, task: StageTask) -> None:
        begun = time.perf_counter()
        super().submit(task)
        self.inside_s += time.perf_counter() - begun

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        begun = time.perf_counter()
        ended = super().wait(timeout_s)
        self.inside_s += time.perf_counter() - begun
        return ended


class Clock:
    """A watcher that notes when trials end, in time that was not spent in the runner."""

    def __init__(self, runner: TimedRunner) -> None:
        self._runner = runner
        self.ended_s: list[float] = []

    def stage_started(self, trial: int, stage: str) -> None:
        pass

    def stage_ended(self, trial: int, stage: str, seconds: float, from_store: bool) -> None:
        pass

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        self.ended_s.append(time.perf_counter() - self._runner.inside_s)

    def note(self, text: str) -> None:
        pass


def drive(folder: Path, trials: int, workers: int, sampler: str | None) -> dict[str, Any]:
    """Let the real driver run the last trials of the study in ``folder``."""
    runner = TimedRunner(MACHINE, FACTS, table, workers=workers)
    clock = Clock(runner)
    driver_of(open_study(home_in(folder)), make_chains(), runner, clock, trials, sampler).run()
    steps = [1e3 * (after - before) for before, after in zip(clock.ended_s, clock.ended_s[1:], strict=False)]
    return {
        "per_trial_ms": statistics.median(steps),
        "per_trial_p90_ms": statistics.quantiles(steps, n=10)[-1],
        "steps": len(steps),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def reopen(folder: Path, trials: int) -> dict[str, Any]:
    """Open the study in ``folder`` again and make its front."""
    begun = time.perf_counter()
    study = open_study(home_in(folder))
    known = records(study)
    opened = time.perf_counter()
    front = front_document(study)["front"]
    ended = time.perf_counter()
    assert [trial.number for trial in known] == list(range(trials))
    assert all(trial.state == "complete" and trial.configuration and trial.measurement for trial in known)
    return {"reopen_s": opened - begun, "front_s": ended - opened, "front_members": len(front)}


def prepare(folder: Path, trials: int) -> None:
    """Add the first trials of a study."""
    fill(home_in(folder), make_chains(), round(trials * (1 - SHARE)))


def measure(trials: int, workers: int, sampler: str | None) -> dict[str, Any]:
    """All figures of one study, each phase in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        _fresh(prepare, Path(name), trials)
        figures = _fresh(drive, Path(name), trials, workers, sampler) | _fresh(reopen, Path(name), trials)
    metrics = {name: figures.pop(name) for name in METRICS}
    asked = {"trials": trials, "workers": workers, "sampler": sampler or "default", "added": 1 - SHARE}
    return {**metrics, "settings": {**asked, **figures}}


def _fresh(work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` returns in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def as_table(figures: dict[str, Any]) -> str:
    """The figures beside the goals and what others need, where those are known for this number of trials."""
    trials = figures["settings"]["trials"]
    lines = [f"{'':16} {'measured':>10} {'goal':>6}  anchor, at {trials} trials"]
    for name in METRICS:
        goal, anchor = GOALS.get(name, {}).get(trials, ("", ""))
        lines.append(f"{name:16} {figures[name]:10.4g} {goal:>6}  {anchor}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1, help="slots of the simulated runner")
    parser.add_argument("--sampler", help="another sampler than a search's own")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.trials, options.workers, options.sampler)
    print(json.dumps(figures) if options.json else as_table(figures))


if __name__ == "__main__":
    main()
