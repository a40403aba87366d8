"""A runner that carries nothing out: its measurements come from a table, and its time is counted, not waited for."""

import heapq
import math
from collections.abc import Callable, Mapping
from typing import Any

from runners.machine.resources import TRAINING_STAGES
from runners.measuring.measurement import without_accuracy
from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from spaces.configuration import Configuration
from spaces.environment import Environment

Table = Callable[[Configuration], Mapping[str, Any]]
"""The figures of a configuration, fields of `Measurement`; it may raise, which fails the trial."""

Curve = Callable[[Configuration, int], float]
"""The accuracy of a configuration's network after so many epochs."""

WITHOUT_NOISE: Mapping[str, Mapping[str, Any]] = {
    "calibrating": {"threads": 1, "by_threads": {}, "tuned": False, "resolution": 0.0, "unstable": ""},
    "comparing": {"timings": {}},
}
"""Results of the stages that only measure noise, of which a table has none; its baseline has the fewest threads."""


class SimulatedRunner(Runner):
    """Gives each stage the result that a table has for it, for searches whose true front is known.

    Attributes:
        clock_s: The simulated time, in seconds since the start.
        worked_s: Simulated seconds that all workers spent on stages.

    Args:
        environment: The machine that is simulated.
        facts: The workload that is simulated.
        table: Gives the figures of each configuration.
        seconds: How long each stage takes in simulated time; stages already done take none.
        workers: How many stages run side by side.
        curve: Gives the accuracy at the end of each level of a training; without it that of the table.
    """

    def __init__(
        self,
        environment: Environment,
        facts: WorkloadFacts,
        table: Table,
        *,
        seconds: Callable[[StageTask], float] = lambda task: 1.0,
        workers: int = 1,
        curve: Curve | None = None,
    ) -> None:
        self.slots = workers
        self.clock_s = 0.0
        self.worked_s = 0.0
        self._inspected = (environment, facts)
        self._table = table
        self._seconds = seconds
        self._curve = curve
        self._free_at = [0.0] * workers
        self._under_way: list[tuple[float, int, StageTask, StageOutcome]] = []
        self._done: dict[str, Mapping[str, Any]] = {}
        self._order = 0

    def inspect(self, workload: Any, choices: Mapping[str, Any] | None = None) -> tuple[Environment, WorkloadFacts]:
        return self._inspected

    def submit(self, task: StageTask) -> None:
        if task.key in self._done:
            outcome, takes = StageOutcome(self._done[task.key], from_store=True), 0.0
        else:
            outcome, takes = self._simulate(task)
        begin = max(self.clock_s, heapq.heappop(self._free_at))
        heapq.heappush(self._free_at, begin + takes)
        self.worked_s += takes
        self._order += 1
        heapq.heappush(self._under_way, (begin + takes, self._order, task, outcome))

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        if not self._under_way:
            return []
        self.clock_s, _, task, outcome = heapq.heappop(self._under_way)
        if outcome.failure is None:
            self._done[task.key] = outcome.result
        return [(task, outcome)]

    def cancel(self) -> None:
        self._under_way.clear()

    def close(self) -> None:
        self.cancel()

    def _simulate(self, task: StageTask) -> tuple[StageOutcome, float]:
        takes = self._seconds(task)
        try:
            return StageOutcome(self._figures(task), takes), takes
        except Exception as error:
            return StageOutcome({}, takes, failure=f"{task.stage}: {error}"), takes

    def _figures(self, task: StageTask) -> Mapping[str, Any]:
        configuration = Configuration.from_json(task.configuration)
        if task.stage == "measuring":
            figures = dict(self._table(configuration))
            return figures if task.settings.get("splits", True) else without_accuracy(figures)
        if task.stage in TRAINING_STAGES:
            return self._level(configuration, int(task.settings["to_epoch"]))
        if task.stage == "comparing" and "arms" in task.settings:
            return {"contrasts": self._contrasts(task.settings["arms"], task.settings["contrasts"])}
        if task.stage == "evaluating":
            return {n: v for n, v in self._table(configuration).items() if n in ("accuracy", "accuracy_ci95")}
        if task.stage == "lowering":
            return self._lowered(configuration)
        if task.stage == "calibrating":
            return {**WITHOUT_NOISE["calibrating"], "threads": min(task.settings["offered"])}
        return WITHOUT_NOISE.get(task.stage, {})

    def _contrasts(
        self, arms: Mapping[str, Mapping[str, Any]], contrasts: Mapping[str, Mapping[str, int]]
    ) -> dict[str, Any]:
        """The contrasts of the times that the table has for ``arms``, without noise."""
        speedups = {
            name: self._table(Configuration.from_json(arm["configuration"]))["speedup"] for name, arm in arms.items()
        }
        values = {
            name: math.prod(speedups.get(arm, 1.0) ** -weight for arm, weight in weights.items())
            for name, weights in contrasts.items()
        }
        return {name: {"value": value, "ci95": [value, value], "unstable": ""} for name, value in values.items()}

    def _lowered(self, configuration: Configuration) -> Mapping[str, Any]:
        """What the table has of an artifact; nothing where it has none, as only a later stage fails then."""
        try:
            figures = self._table(configuration)
        except Exception:
            return {}
        return {n: figures[n] for n in ("size_mib", "macs", "parameters", "train_seconds") if n in figures}

    def _level(self, configuration: Configuration, epochs: int) -> Mapping[str, Any]:
        if self._curve:
            accuracy = self._curve(configuration, epochs)
        else:
            try:
                accuracy = self._table(configuration)["accuracy"]
            except Exception:
                return {"epochs": epochs}  # only a later stage fails, such as lowering
        return {"epochs": epochs, "accuracy": accuracy, "accuracy_ci95": [accuracy, accuracy]}
