"""A runner that carries out stages in this process, one after the other: for tests and for a debugger."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runners.executors.inspection import inspect_on_this_machine
from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from runners.stages.run import run_stage
from runners.store.location import open_store
from spaces.environment import Environment


class LocalRunner(Runner):
    """Carries out one submitted stage at each `wait`.

    Args:
        store: The stage store, a folder or a URL.

    Raises:
        RequestError: The store cannot be reached or written.
    """

    def __init__(self, store: str | Path) -> None:
        self._store = open_store(store)
        self._waiting: deque[StageTask] = deque()

    def inspect(self, workload: Any, choices: Mapping[str, Any] | None = None) -> tuple[Environment, WorkloadFacts]:
        return inspect_on_this_machine(workload, choices)

    def submit(self, task: StageTask) -> None:
        self._waiting.append(task)

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        if not self._waiting:
            return []
        task = self._waiting.popleft()
        return [(task, run_stage(task, self._store))]

    def cancel(self) -> None:
        self._waiting.clear()

    def close(self) -> None:
        self.cancel()
