"""The same contract without the work: measurements come out of a table, and time is a number that is counted up."""

import heapq
from collections.abc import Callable, Mapping
from typing import Any

from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from spaces.configuration import Configuration
from spaces.environment import Environment

Table = Callable[[Configuration], Mapping[str, Any]]
"""The figures of a configuration, fields of `Measurement`; it may raise, which fails the trial."""

NO_FIGURES: Mapping[str, Mapping[str, Any]] = {
    "calibrating": {"resolution": 0.0, "unstable": ""},
    "comparing": {"timings": {}},
}
"""A table is exact: nothing to calibrate, and timing its entries beside each other would change nothing."""


class SimulatedRunner(Runner):
    """Runs a search over a problem whose front is known, in as many workers as wanted, in no time.

    Args:
        environment: The machine to pretend.
        facts: The workload to pretend.
        table: Gives the figures of each configuration.
        seconds: How long each stage takes in simulated time; stages already done take none.
        workers: How many stages run side by side.
    """

    def __init__(
        self,
        environment: Environment,
        facts: WorkloadFacts,
        table: Table,
        *,
        seconds: Callable[[StageTask], float] = lambda task: 1.0,
        workers: int = 1,
    ) -> None:
        self.slots = workers
        self.clock_s = 0.0
        self.worked_s = 0.0
        self._about = (environment, facts)
        self._table = table
        self._seconds = seconds
        self._free_at = [0.0] * workers
        self._under_way: list[tuple[float, int, StageTask, StageOutcome]] = []
        self._done: dict[str, Mapping[str, Any]] = {}
        self._order = 0

    def inspect(self, workload: Any) -> tuple[Environment, WorkloadFacts]:
        return self._about

    def submit(self, task: StageTask) -> None:
        if task.key in self._done:
            outcome, takes = StageOutcome(self._done[task.key], from_store=True), 0.0
        else:
            outcome, takes = self._carry_out(task)
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

    def close(self) -> None:
        self._under_way.clear()

    def _carry_out(self, task: StageTask) -> tuple[StageOutcome, float]:
        takes = self._seconds(task)
        if task.stage in NO_FIGURES:
            return StageOutcome(NO_FIGURES[task.stage], takes), takes
        if task.stage != "measuring":
            return StageOutcome({}, takes), takes
        try:
            return StageOutcome(dict(self._table(Configuration.from_json(task.configuration))), takes), takes
        except Exception as error:
            return StageOutcome({}, takes, failure=f"{task.stage}: {error}"), takes
