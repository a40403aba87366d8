"""Stages as Ray tasks: on a local instance of this search's own, or on a cluster."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from runners.executors.workload_folder import pack, unpack
from runners.machine.telemetry import silence
from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed

OBJECT_STORE_BYTES = 128 * 2**20
"""Only tasks and figures travel through Ray; weights and artifacts go through the stage store."""


REACH_S = 5.0

PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
REFUSING = "http://127.0.0.1:9"
"""The discard port of this machine, where nothing listens."""


class RayRunner(Runner):
    """Carries out stages where Ray has the cores and accelerators that they ask for.

    A measurement asks for all the cores of a machine, so nothing trains beside it. Ray retries nothing: a
    stage whose process dies is a failure, and the search decides what becomes of it.

    Args:
        store: The stage store, a folder or a URL that every node reaches.
        address: Of a running cluster; None starts an instance on this machine that ends with the search.

    Raises:
        RequestError: The cluster cannot be reached.
    """

    def __init__(self, store: str | Path, address: str | None = None) -> None:
        self._store = str(store)
        self._under_way: dict[Any, StageTask] = {}
        self._sent: Any = None
        self._far = address is not None
        _connect(address)
        cores = ray.cluster_resources().get("CPU", 1)  # type: ignore[no-untyped-call]
        self.slots = max(1, min(int(cores), 64))

    def inspect(self, workload: Any) -> tuple[Environment, WorkloadFacts]:
        self._sent = ray.put(pack(workload) if self._far else None)
        try:
            good, value = ray.get(_inspect.remote(workload, self._sent, _proxies()))
        except RayError as error:
            raise WorkFailed(f"the workload could not be inspected: {_reason(error)}") from error
        if not good:
            raise RequestError(value)
        environment, facts = value
        return environment, facts

    def submit(self, task: StageTask) -> None:
        remote = _carry_out.options(num_cpus=task.cpus, num_gpus=task.gpus, name=task.stage)
        self._under_way[remote.remote(task, self._store, self._sent, _proxies())] = task

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        if not self._under_way:
            return []
        done, _ = ray.wait(list(self._under_way), num_returns=1, timeout=timeout_s)
        return [(self._under_way.pop(reference), _outcome(reference)) for reference in done]

    def cancel(self) -> None:
        for reference in self._under_way:
            ray.cancel(reference, force=True)
        self._under_way.clear()

    def close(self) -> None:
        self.cancel()
        ray.shutdown()


def _connect(address: str | None) -> None:
    silence()
    # Ray's own advice on accelerators is for clusters; on a machine without one it only puzzles.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # By default Ray's workers step back for every other process, and so would the measurements in them.
    os.environ.setdefault("RAY_worker_niceness", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is None:
        options.update(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
        )
    else:
        _require_listener(address)
        options.update(address=address)
    try:
        with _secluded() if address is None else nullcontext():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = "a local Ray instance could not be started" if address is None else f"no Ray cluster at {address}"
        raise RequestError(f"--address: {where} ({_first_line(error)}); give HOST:PORT of a running one") from error


@contextmanager
def _secluded() -> Iterator[None]:
    """Start Ray's processes so that they bind the loopback address and ask nobody outside.

    Ray turns 127.0.0.1 into the machine's outward address unless clusters are off, as they are on other systems.
    Its dashboard process runs even without a dashboard, and looks for the metadata of a cloud whatever the usage
    statistics are set to; a proxy that refuses answers it.
    """
    clusters, before = ray_constants.ENABLE_RAY_CLUSTER, {name: os.environ.get(name) for name in PROXIES}
    ray_constants.ENABLE_RAY_CLUSTER = False
    os.environ.update(dict.fromkeys(PROXIES, REFUSING))
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
        for name in PROXIES:
            os.environ.pop(name)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _enter_worker(proxies: dict[str, str]) -> None:
    """Undo for a person's own code what `_secluded` left in a worker's environment."""
    silence()
    for name in PROXIES:
        if os.environ.get(name) == REFUSING:
            os.environ.pop(name)
            os.environ.update({name: proxies[name]} if name in proxies else {})


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in PROXIES if name in os.environ}


def _require_listener(address: str) -> None:
    """Raise `RequestError` where nothing listens at ``HOST:PORT``: Ray itself would try for minutes."""
    written = re.fullmatch(r"(?:ray://)?\[?([^/\[\]]+)\]?:(\d{1,5})", address)
    if not written:
        return  # such as "auto", which Ray answers at once
    try:
        socket.create_connection((written[1], int(written[2])), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        raise RequestError(
            f"--address: no Ray cluster at {address} ({_first_line(error)}); give HOST:PORT of a running one"
        ) from error


@ray.remote(num_cpus=1, max_retries=0)
def _inspect(workload: Any, sent: bytes | None, proxies: dict[str, str]) -> tuple[bool, Any]:
    _enter_worker(proxies)
    from runners.executors.inspection import inspect_here

    try:
        return True, inspect_here(unpack(workload, sent))
    except RequestError as error:
        return False, str(error)


@ray.remote(max_retries=0)
def _carry_out(task: StageTask, store: str, sent: bytes | None, proxies: dict[str, str]) -> StageOutcome:
    _enter_worker(proxies)
    from runners.processes.fresh_process import prepare
    from runners.stages.run import run_stage
    from runners.store.location import open_store

    prepare()  # the first measurement in this worker does not wait for its imports
    return run_stage(replace(task, workload=unpack(task.workload, sent)), open_store(store))


def _outcome(reference: Any) -> StageOutcome:
    try:
        outcome: StageOutcome = ray.get(reference)
        return outcome
    except RayError as error:
        return StageOutcome({}, failure=_reason(error))


def _reason(error: RayError) -> str:
    if isinstance(error, OutOfMemoryError):
        return "its process was ended because the machine ran out of memory"
    if isinstance(error, WorkerCrashedError):
        return "its process died before it answered"
    if isinstance(error, NodeDiedError):
        return "its node died before it answered"
    if isinstance(error, RayTaskError):
        return f"its process failed: {_first_line(error.cause or error)}"
    return f"Ray gave it up: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
