"""What a stage is given to work with, and how it is carried out once and kept."""

import importlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.lease import device_lease
from runners.runner import StageFailed, StageOutcome, StageTask
from runners.stages.store import StageStore, StoredStage
from runners.workload import Workload
from runners.workload_reference import resolve
from spaces.errors import RequestError, WorkFailed


@dataclass(frozen=True)
class StageJob:
    """A stage about to run.

    A module of ``runners.stages`` that carries out a stage defines ``run(job) -> dict``: it writes files into
    ``job.folder`` and returns the figures that the stages after it may read, in plain JSON types.

    Attributes:
        task: What to do.
        inputs: Verified results of earlier stages, by role.
        folder: An empty folder for this stage's files.
        workload: The resolved workload.
    """

    task: StageTask
    inputs: Mapping[str, StoredStage]
    folder: Path
    workload: Workload

    @property
    def parent(self) -> StoredStage:
        """The stage before this one."""
        return self.inputs["parent"]

    def carried(self) -> dict[str, Any]:
        """The parent's figures, which describe this candidate too unless this stage changes them."""
        return dict(self.parent.result)


def carry_out(task: StageTask, store: StageStore) -> StageOutcome:
    """The outcome of ``task``: out of the store where it has it, computed and stored otherwise.

    Whatever the stage raises becomes a failure in one line: a bad candidate must not end a search.
    """
    begin = time.perf_counter()
    try:
        with store.alone(task.key):
            entry = store.get(task.key)
            if entry is not None:
                return StageOutcome(entry.result, time.perf_counter() - begin, from_store=True)
            return _compute(task, store)
    except Exception as error:
        return StageOutcome({}, time.perf_counter() - begin, failure=_one_line(task.stage, error))


def _compute(task: StageTask, store: StageStore) -> StageOutcome:
    """Run the stage under a lease of the device; the time spent on waiting for the lease is not the stage's."""
    with store.unfinished() as folder:
        job = StageJob(task, _inputs(task, store), folder, resolve(task.workload))
        with device_lease(exclusive=task.exclusive):
            begin = time.perf_counter()
            result = importlib.import_module(f"runners.stages.{task.stage}").run(job)
            seconds = time.perf_counter() - begin
        store.put(task.key, folder, result, seconds, origin=_origin(task))
    return StageOutcome(dict(result), seconds)


def _inputs(task: StageTask, store: StageStore) -> dict[str, StoredStage]:
    found = {role: store.get(key) for role, key in task.inputs.items()}
    lost = [role for role, entry in found.items() if entry is None]
    if lost:
        raise StageFailed(f"its {lost[0]} is no longer in the stage store; resume the study to make it again")
    return {role: entry for role, entry in found.items() if entry is not None}


def _origin(task: StageTask) -> dict[str, Any]:
    fields = asdict(task)
    return {name: fields[name] for name in ("stage", "settings", "inputs", "workload", "seed", "configuration")}


def _one_line(stage: str, error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    kind = "" if isinstance(error, (RequestError, WorkFailed)) else f"{type(error).__name__}: "
    return f"{stage}: {kind}{text[:500]}"
