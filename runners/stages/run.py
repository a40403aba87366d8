"""Run a stage once and keep its result."""

import errno
import importlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runners.backends import find_backend
from runners.machine.lease import device_lease
from runners.machine.resources import CALLING_NETWORKS
from runners.processes.fresh_process import HANG_TIMEOUT_S, call_fresh
from runners.processes.hang_limit import ended_where_it_hangs
from runners.runner import FailureKind, StageFailed, StageOutcome, StageTask
from runners.stage_keys import code_of
from runners.stages.job import StageJob
from runners.store.entry import StoredStage
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import resolve
from spaces.errors import RequestError, WorkFailed, in_one_line

COMPILING_TIMEOUT_S = 900.0
"""How long a compiler may take, which reports no progress. A network of the size of ResNet-50 takes some minutes."""
PROBE_BYTES = 64 * 2**10
"""A store that does not take a file of this size is full."""


def run_stage(task: StageTask, store: StageStore, hang_limit_s: float | None = None) -> StageOutcome:
    """The outcome of ``task``: out of the store where it has it, computed and stored otherwise.

    Whatever the stage raises becomes a failure in one line: a bad candidate must not end a search.

    Args:
        task: The stage.
        store: Where results are kept.
        hang_limit_s: This process is ended where a stage in it does nothing for so long; None in one that must live on.
    """
    begin = time.perf_counter()
    try:
        with _machine_is_to_blame():
            entry = store.get(task.key)
        if entry is not None:
            return StageOutcome(entry.result, time.perf_counter() - begin, from_store=True)
        return _compute(task, store, hang_limit_s)
    except Exception as error:
        kind, reason = _failure(error, store)
        failure = f"{task.stage}: {reason}"
        return StageOutcome({}, time.perf_counter() - begin, failure=failure, failure_kind=kind)


def _compute(task: StageTask, store: StageStore, hang_limit_s: float | None) -> StageOutcome:
    """Run the stage under a lease of the device; the time spent on waiting for the lease is not the stage's."""
    _require_same_code(task)
    with ExitStack() as held:
        with _machine_is_to_blame():
            held.enter_context(store.in_use(task.stage))
            folder = held.enter_context(store.unfinished())
            inputs = _inputs(task, store)
            resolve(task.workload)  # loaded before the lease is taken; the search has loaded it before
        asked = time.perf_counter()
        with device_lease(exclusive=task.exclusive):
            begin = time.perf_counter()
            result = _run_where_it_belongs(task, inputs, folder, hang_limit_s)
            seconds = time.perf_counter() - begin
        with _machine_is_to_blame():
            entry = store.put(task.key, folder, result, seconds, origin=_origin(task))
    return StageOutcome(entry.result, seconds, waited_s=begin - asked)


def _require_same_code(task: StageTask) -> None:
    """Raise `StageFailed` where another code than the search's would compute what is then stored under its key."""
    if task.code and task.code != code_of(task):
        raise StageFailed(
            f"the code of Frontrunner on {platform.node()} is not that with which the search was started; install the "
            "same version on every node, and continue the study after an edit",
            "machine",
        )


def _run_where_it_belongs(
    task: StageTask, inputs: dict[str, StoredStage], folder: Path, hang_limit_s: float | None
) -> dict[str, Any]:
    """The stage's figures.

    Raises:
        StageFailed: Its process failed, or ``folder`` cannot be written any more.
        Exception: What the stage raised.
    """
    try:
        limit_s = limit_of_own_process(task)
        if limit_s is None:
            with nullcontext() if hang_limit_s is None else ended_where_it_hangs(hang_limit_s):
                return _run(task, inputs, folder)
        result: dict[str, Any] = call_fresh(_run, task, inputs, folder, timeout_s=limit_s, what="its own process")
        return result
    except Exception as error:
        _require_writable(folder, error)  # some libraries say only that writing failed
        raise


def limit_of_own_process(task: StageTask) -> float | None:
    """How long a stage may do nothing in a process of its own, which is ended then; None for a stage that needs none.

    Those that train do so where they run, and this process goes on to other stages: it would keep the accelerator that
    it was given first, with the memory that it used there. A compiler may crash. Those that measure start fresh
    processes themselves.
    """
    if task.stage in CALLING_NETWORKS:
        return HANG_TIMEOUT_S
    compiles = task.stage == "lowering" and find_backend(task.settings["runtime"]).compiles
    return COMPILING_TIMEOUT_S if compiles else None


def _run(task: StageTask, inputs: dict[str, StoredStage], folder: Path) -> dict[str, Any]:
    module = importlib.import_module(f"runners.stages.{task.stage}")
    figures: dict[str, Any] = module.run(StageJob(task, inputs, folder, resolve(task.workload)))
    return figures


def _inputs(task: StageTask, store: StageStore) -> dict[str, StoredStage]:
    inputs = {}
    for role, key in task.inputs.items():
        entry = store.get(key)
        if entry is None:
            raise StageFailed(
                f"its {role} was lost from the stage store {store}; the next trial that needs it makes it again"
            )
        inputs[role] = entry
    return inputs


def _origin(task: StageTask) -> dict[str, Any]:
    fields = asdict(task)
    return {name: fields[name] for name in ("stage", "settings", "inputs", "workload", "seed", "configuration")}


@contextmanager
def _machine_is_to_blame() -> Iterator[None]:
    """Make an error of the store, or of a workload that was loaded before, a failure of the machine."""
    try:
        yield
    except StageFailed:
        raise
    except (OSError, RequestError, WorkFailed) as error:
        raise StageFailed(in_one_line(error, limit=500), "machine") from error


def _failure(error: Exception, store: StageStore) -> tuple[FailureKind, str]:
    if _is_full(error):
        return "machine", (
            f"no space is left on the disk of the stage store ({store.root}) or of temporary files; "
            "free some, such as with `frontrunner cache prune`"
        )
    return error.kind if isinstance(error, StageFailed) else "candidate", in_one_line(error, limit=500)


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk or quota is behind it; libraries wrap that error, or only repeat its words."""
    while error is not None:
        codes = (errno.ENOSPC, errno.EDQUOT)
        if getattr(error, "errno", None) in codes or any(os.strerror(code) in str(error) for code in codes):
            return True
        error = error.__cause__ or error.__context__
    return False


def _require_writable(folder: Path, error: Exception) -> None:
    """Raise `StageFailed` where the folder of a stage that raised ``error`` cannot be written any more."""
    probe = folder / "probe"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
        probe.unlink()
    except OSError as refused:
        raise StageFailed(in_one_line(error, limit=500), "machine") from refused
