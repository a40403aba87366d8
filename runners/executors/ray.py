"""A runner that carries out stages as Ray tasks, on a Ray instance of its own or on a cluster."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

# With clusters off, as Ray has it on Windows and macOS, a local instance listens at the loopback address it is given;
# otherwise Ray turns that into the machine's outward address. Ray reads the variable when it is imported. Connecting to
# a cluster works the same either way.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
# Ray's own handler of SIGTERM and of crashes prints a C++ stack and aborts. Ray reads this when it starts.
os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"

import ray
from ray.exceptions import GetTimeoutError, NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from runners.executors.connection_checks import require_listener, require_own_packages
from runners.executors.local_instance import make_cleanup, starting_here
from runners.executors.node_size import NodeSize, at_most, in_words, total
from runners.executors.proxies import proxies_here, restore_proxies
from runners.executors.workload_folder import pack, unpack
from runners.machine.telemetry import disable_telemetry
from runners.processes.lasting_thread import LastingThread
from runners.processes.process_cleanup import ProcessCleanup
from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed, in_one_line

GET_S = 1.0
"""One call of Ray waits this long at most, as Python's signal handlers run only between calls."""

HANG_S = 900.0
"""A worker in which a stage does nothing for so long is ended: other limits within a stage, and what a converter may
take, are shorter. A process of its own for each stage would cost what it imports anew: a second, and some for ONNX."""

LONG_WAIT_S = 60.0
"""A stage that has waited longer than this for cores and accelerators is worth a note."""


@dataclass
class _Sent:
    """A stage under way, as it was sent."""

    task: StageTask
    granted: StageTask
    since: float
    begun: float | None = None


class RayRunner(Runner):
    """Carries out stages where Ray has the cores and accelerators that they ask for.

    A measurement asks for all the cores of a machine, so nothing trains beside it; what no node has is asked for in the
    size that the largest has. Ray retries nothing: a stage whose process dies is a failure. Where that stage is sent
    again, Ray spreads it over the nodes.

    Args:
        store: The stage store, a folder or a URL that every node reaches.
        address: Of a running cluster; None starts an instance on this machine that ends with the search.

    Raises:
        RequestError: The cluster cannot be reached, or a file of the current folder has the name of our packages.
    """

    def __init__(self, store: str | Path, address: str | None = None) -> None:
        self._store = str(store)
        self._under_way: dict[Any, _Sent] = {}
        self._died: set[str] = set()
        self._workload_folder: Any = None
        self._on_cluster = address is not None
        # In a thread that is not the main one Ray leaves the handlers of signals alone.
        require_own_packages(Path.cwd())
        self._cleanup = None if address else make_cleanup()
        self._started = LastingThread(partial(_connect, address, self._cleanup))
        try:
            self._started.result()
        except RequestError:
            if self._cleanup is not None:
                self._cleanup.close()
            raise
        cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
        self.slots = max(1, min(int(cores), 64))

    def inspect(self, workload: Any, choices: Mapping[str, Any] | None = None) -> tuple[Environment, WorkloadFacts]:
        if not any(node.cpus for node in _nodes()):
            raise RequestError("--address: no node of the cluster has a CPU for Ray; start one with --num-cpus")
        self._workload_folder = ray.put(pack(workload) if self._on_cluster else None)
        if not self._on_cluster and self.slots > 1:
            _prepare.remote(workload, self._workload_folder, proxies_here())
        try:
            environment, facts = _get(_inspect.remote(workload, choices, self._workload_folder, proxies_here()))
        except RayError as error:
            if isinstance(error, RayTaskError) and isinstance(error.cause, RequestError):
                raise error.cause from None
            raise WorkFailed(f"the workload could not be inspected: {_reason(error)}") from error
        if environment.accelerators and not any(node.gpus for node in _nodes()):
            raise RequestError(
                f"--address: the machine that measures has {environment.accelerators} accelerators "
                f"({environment.accelerator}), but no node of the cluster has a GPU for Ray; start its nodes with "
                "--num-gpus"
            )
        return environment, facts

    def submit(self, task: StageTask) -> None:
        granted = at_most(task, _nodes())
        strategy = "SPREAD" if task.key in self._died else "DEFAULT"
        remote = _carry_out.options(
            num_cpus=granted.cpus, num_gpus=granted.gpus, name=task.stage, scheduling_strategy=strategy
        )
        steps = remote.remote(granted, self._store, self._workload_folder, proxies_here(), HANG_S)
        self._under_way[steps] = _Sent(task, granted, time.monotonic())

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        deadline = time.monotonic() + timeout_s
        while self._under_way:
            left_s = max(0.0, deadline - time.monotonic())
            done, _ = ray.wait(list(self._under_way), num_returns=1, timeout=left_s)
            if not done:
                break
            sent = self._under_way[done[0]]
            outcome = _next_step(done[0], sent)
            if outcome is None:
                sent.begun = time.monotonic()
                continue
            del self._under_way[done[0]]
            if outcome.failure_kind == "process":
                self._died.add(sent.task.key)
            return [(sent.task, outcome)]
        return []

    def waiting(self) -> str | None:
        for sent in self._under_way.values():
            if sent.begun is None and time.monotonic() - sent.since > LONG_WAIT_S:
                return (
                    f"{sent.task.stage} has waited for {LONG_WAIT_S:.0f} s for {in_words(sent.granted)}; Ray has "
                    f"{in_words(total(_nodes()))}, which others use"
                )
        return None

    def cancel(self) -> None:
        for steps in self._under_way:
            ray.cancel(steps, force=True)
        self._under_way.clear()

    def close(self) -> None:
        self.cancel()
        ray.shutdown()
        self._started.close()
        if self._cleanup is not None:
            self._cleanup.close()


def _nodes() -> list[NodeSize]:
    """What each living node has for Ray in all."""
    living = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [NodeSize(int(resources.get("CPU", 0)), int(resources.get("GPU", 0))) for resources in living]


def _connect(address: str | None, cleanup: ProcessCleanup | None) -> None:
    disable_telemetry()
    # Ray's own advice on accelerators is for clusters; on a machine without one it only puzzles.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # By default Ray's workers step back for every other process, and so would the measurements in them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # By default Ray ends workers that idle for a second while another one measures, and their imports are lost.
    os.environ.setdefault("RAY_idle_worker_killing_time_threshold_ms", "600000")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is not None:
        require_listener(address)
    try:
        with nullcontext({"address": address}) if cleanup is None else starting_here(cleanup) as where:
            ray.init(**options, **where)
    except Exception as error:  # Ray raises errors of many classes, also bare ones
        reason = in_one_line(error)
        if cleanup is not None:
            raise RequestError(
                f"Ray cannot be started on this machine ({reason}); give --address HOST:PORT of a running cluster"
            ) from error
        raise RequestError(
            f"--address: no Ray cluster at {address} ({reason}); give HOST:PORT of a running one"
        ) from error


def _enter_worker(proxies: dict[str, str]) -> None:
    disable_telemetry()
    restore_proxies(proxies)


@ray.remote(num_cpus=1, max_retries=0)
def _inspect(
    workload: Any, choices: Mapping[str, Any] | None, folder: bytes | None, proxies: dict[str, str]
) -> tuple[Environment, WorkloadFacts]:
    _enter_worker(proxies)
    from runners.executors.inspection import inspect_on_this_machine
    from runners.executors.worker_imports import start_server_for

    workload = unpack(workload, folder)
    start_server_for(workload)
    return inspect_on_this_machine(workload, choices)


@ray.remote(num_cpus=1, max_retries=0)
def _prepare(workload: Any, folder: bytes | None, proxies: dict[str, str]) -> None:
    """Import in a second worker, beside the inspection, what its first stage would wait for."""
    _enter_worker(proxies)
    from runners.executors.worker_imports import import_for_stages

    import_for_stages(unpack(workload, folder))


@ray.remote(max_retries=0)
def _carry_out(
    task: StageTask, store: str, folder: bytes | None, proxies: dict[str, str], hang_limit_s: float
) -> Iterator[StageOutcome | None]:
    """None when it begins, and the outcome."""
    yield None
    _enter_worker(proxies)
    from runners.executors.worker_imports import start_server_for
    from runners.stages.run import run_stage
    from runners.store.location import open_store

    workload = unpack(task.workload, folder)
    start_server_for(workload)
    yield run_stage(replace(task, workload=workload), open_store(store), hang_limit_s)


def _get(reference: Any) -> Any:
    while True:
        with suppress(GetTimeoutError):
            return ray.get(reference, timeout=GET_S)


def _next_step(steps: Any, sent: _Sent) -> StageOutcome | None:
    """The outcome of a task, or None where it has begun."""
    stage = sent.task.stage
    try:
        step: StageOutcome | None = ray.get(next(steps))
        return step
    except RayTaskError as error:  # what a stage raises is an outcome: here its node cannot carry out any
        return StageOutcome({}, failure=f"{stage}: {_reason(error)}", failure_kind="machine")
    except RayError as error:
        if isinstance(error, WorkerCrashedError) and _may_have_hung(sent):
            failure = f"{stage}: it did nothing for {HANG_S:.0f} s and its process was ended"
            return StageOutcome({}, failure=failure, failure_kind="candidate")
        return StageOutcome({}, failure=f"{stage}: {_reason(error)}", failure_kind="process")


def _may_have_hung(sent: _Sent) -> bool:
    """Whether a worker that ended by itself was at a stage for so long that it may have done nothing for `HANG_S`.

    It would do so again. A stage with a process of its own has the limit of that process instead.
    """
    from runners.stages.run import limit_of_own_process

    long = sent.begun is not None and time.monotonic() - sent.begun >= HANG_S
    return long and limit_of_own_process(sent.task) is None


def _reason(error: RayError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "its process was ended because the machine ran out of memory"
    if isinstance(error, WorkerCrashedError):
        return "its process died before it answered"
    if isinstance(error, NodeDiedError):
        return "its node died before it answered"
    if isinstance(error, RayTaskError):
        return f"its process failed: {in_one_line(error.cause or error)}"
    return f"Ray gave it up: {in_one_line(error)}"
