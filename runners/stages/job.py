"""What a stage is given to work with, and how it is carried out once and kept."""

import errno
import importlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.machine.accelerator import accelerated
from runners.machine.lease import device_lease
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed, StageOutcome, StageTask
from runners.store.entry import StoredStage
from runners.store.location import Store
from runners.training.data_parallel import TIMEOUT_S
from runners.workload import Workload
from runners.workload_loading.reference import resolve
from spaces.errors import in_one_line

NO_SPACE_BYTES = 64 * 2**10
ON_ACCELERATOR = ("teacher", "training")
"""Stages whose own module works on the accelerator; those that measure start processes for that themselves."""


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


def carry_out(task: StageTask, store: Store) -> StageOutcome:
    """The outcome of ``task``: out of the store where it has it, computed and stored otherwise.

    Whatever the stage raises becomes a failure in one line: a bad candidate must not end a search.
    """
    begin = time.perf_counter()
    try:
        with store.alone(task.key):
            entry = store.get(task.key)
            if entry is not None:
                return StageOutcome(entry.result, time.perf_counter() - begin, from_store=True)
            with store.in_use(task.stage):
                return _compute(task, store)
    except Exception as error:
        return StageOutcome({}, time.perf_counter() - begin, failure=_failure(task.stage, error, store))


def _compute(task: StageTask, store: Store) -> StageOutcome:
    """Run the stage under a lease of the device; the time spent on waiting for the lease is not the stage's."""
    with store.unfinished() as folder:
        job = StageJob(task, _inputs(task, store), folder, resolve(task.workload))
        asked = time.perf_counter()
        with device_lease(exclusive=task.exclusive):
            begin = time.perf_counter()
            result = _result(job)
            seconds = time.perf_counter() - begin
        entry = store.put(task.key, folder, result, seconds, origin=_origin(task))
    return StageOutcome(entry.result, seconds, waited_s=begin - asked)


def _result(job: StageJob) -> dict[str, Any]:
    """The figures of the stage.

    One that works on an accelerator has a process of its own: this one goes on to other stages, and would keep the
    accelerator that it was given first, with the memory that it used there.
    """
    if job.task.stage not in ON_ACCELERATOR or not accelerated():
        return _run(job)
    given = job.task, dict(job.inputs), job.folder
    figures: dict[str, Any] = call_fresh(_run_in_child, *given, timeout_s=TIMEOUT_S, what="its own process")
    return figures


def _run_in_child(task: StageTask, inputs: dict[str, StoredStage], folder: Path) -> dict[str, Any]:
    return _run(StageJob(task, inputs, folder, resolve(task.workload)))


def _run(job: StageJob) -> dict[str, Any]:
    figures: dict[str, Any] = importlib.import_module(f"runners.stages.{job.task.stage}").run(job)
    return figures


def _inputs(task: StageTask, store: Store) -> dict[str, StoredStage]:
    found = {role: store.get(key) for role, key in task.inputs.items()}
    lost = [role for role, entry in found.items() if entry is None]
    if lost:
        raise StageFailed(
            f"its {lost[0]} was lost from the stage store {store}; the next trial that needs it makes it again"
        )
    return {role: entry for role, entry in found.items() if entry is not None}


def _origin(task: StageTask) -> dict[str, Any]:
    fields = asdict(task)
    return {name: fields[name] for name in ("stage", "settings", "inputs", "workload", "seed", "configuration")}


def _failure(stage: str, error: Exception, store: Store) -> str:
    if _is_full(error) or _has_no_space(store):
        return (
            f"{stage}: no space is left on the disk of the stage store ({store.root}) or of temporary files; "
            "free some, such as with `frontrunner cache prune`"
        )
    return f"{stage}: {in_one_line(error, limit=500)}"


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk or quota is behind it; libraries wrap that error, or only repeat its words."""
    while error is not None:
        codes = (errno.ENOSPC, errno.EDQUOT)
        if getattr(error, "errno", None) in codes or any(os.strerror(code) in str(error) for code in codes):
            return True
        error = error.__cause__ or error.__context__
    return False


def _has_no_space(store: Store) -> bool:
    """Whether the store's disk is full now: some libraries say only that writing failed."""
    try:
        return shutil.disk_usage(store.root).free < NO_SPACE_BYTES
    except OSError:
        return False
