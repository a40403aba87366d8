"""A runner that carries out stages as Ray tasks, on a Ray instance of its own or on a cluster."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
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
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runners.executors import worker_calls
from runners.executors.cluster.node_report import NodeReport, Question, notes_on, require_ready
from runners.executors.cluster.node_size import (
    NodeSize,
    at_most,
    is_too_large,
    ray_options,
    size_of,
    waiting_text,
)
from runners.executors.cluster.sent_stage import LONG_WAIT_S, SentStage, least_busy, long_waiting
from runners.executors.cluster.target import nodes_for, options_of, read_target, require_gpus, require_usable
from runners.executors.cluster.training_resources import read_training_resources
from runners.executors.cluster.workload_folder import pack, unpack
from runners.executors.connection_checks import require_own_packages
from runners.executors.local_instance import connecting, make_cleanup
from runners.executors.proxies import proxies_here, restore_proxies
from runners.machine.telemetry import disable_telemetry
from runners.processes.lasting_thread import LastingThread
from runners.processes.process_cleanup import ProcessCleanup
from runners.runner import Runner, StageOutcome, StageTask, WorkloadFacts
from runners.store.shared_mark import mark_left_in
from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed, in_one_line

GET_S = 1.0
"""One call of Ray waits this long at most, as Python's signal handlers run only between calls."""

HANG_S = 900.0
"""A worker in which a stage does nothing for so long is ended: other limits within a stage, and what a converter may
take, are shorter. A process of its own for each stage would cost what it imports anew: a second, and some for ONNX."""

ANSWER_S = 300.0
"""How long nodes have to answer before the first trial; some import from a slow file server for the first time."""

LOOK_EVERY_S = 5.0
"""How often it is looked whether nodes are gone that alone could hold a stage which has not begun."""


class RayRunner(Runner):
    """Carries out stages where Ray has the cores and accelerators that they ask for, spread over the nodes.

    A measurement asks for all the cores of a machine, so nothing trains beside it; what no node has is asked for in the
    size that the largest has. Ray retries nothing: a stage whose process dies is a failure.

    Args:
        store: The stage store, a folder or a URL that every node reaches; None where no stage is sent.
        address: Of a running cluster; None starts an instance on this machine that ends with the search.
        measure_on: The nodes on which is measured, as `read_target` takes it; training runs anywhere. None is all.
        train_with: What each worker that trains asks for, as `read_training_resources` takes it.

    Attributes:
        notes: What is told of the nodes once they have been asked.

    Raises:
        RequestError: The cluster cannot be reached, it has no such nodes, or a file of the current folder has the name
            of our packages.
    """

    def __init__(
        self,
        store: str | Path | None,
        address: str | None = None,
        measure_on: str | None = None,
        train_with: str | None = None,
    ) -> None:
        self._store, self._target = str(store or ""), read_target(measure_on, address)
        self._training = read_training_resources(train_with)
        self._measuring_call: Any = _call.options(**options_of("measuring", self._target))
        self._under_way: dict[Any, SentStage] = {}
        self._workload_folder: Any = None
        self._looked, self._given = 0.0, Counter[str]()
        self._on_cluster = address is not None
        self.notes: tuple[str, ...] = ()
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
        self.slots = max(1, int(cores))

    def inspect(self, workload: Any, choices: Mapping[str, Any] | None = None) -> tuple[Environment, WorkloadFacts]:
        packed = pack(workload) if self._on_cluster else None
        self._require_usable_nodes(workload, packed)
        self._workload_folder = ray.put(packed)
        if not self._on_cluster and self.slots > 1:
            _call.remote(proxies_here(), worker_calls.prepare, workload, self._workload_folder)
        try:
            given = workload, choices, self._workload_folder
            environment, facts = _get(self._measuring_call.remote(proxies_here(), worker_calls.inspect, *given))
        except RayError as error:
            if isinstance(error, RayTaskError) and isinstance(error.cause, RequestError):
                raise error.cause from None
            raise WorkFailed(f"the workload could not be inspected: {_reason(error)}") from error
        require_gpus(environment, _nodes())
        facts = replace(facts, notes=(*facts.notes, *self.notes))
        return self._training.limited(environment, _nodes(), choices), facts

    def describe(self) -> Environment:
        """The description of a node that measures, as far as Ray may use it."""
        self._require_usable_nodes()
        found: Environment = _get(self._measuring_call.remote(proxies_here(), worker_calls.describe))
        return self._training.limited(found, _nodes())

    def _require_usable_nodes(self, workload: Any = None, packed: bytes | None = None) -> None:
        """Raise `RequestError` where none can measure, or one that answers in `ANSWER_S` cannot work for the search."""
        require_usable(_nodes(), self._target)
        if not self._on_cluster:
            return
        with mark_left_in(self._store) if self._store else nullcontext() as mark:
            question, asked_s = Question(workload, packed, self._store, mark), time.time()
            reports = _reports(question)
        require_ready(reports, question)
        self.notes = notes_on(reports, asked_s, time.time())

    def nodes(self) -> list[tuple[NodeSize, bool]]:
        """The living nodes, and whether each measures."""
        measure = nodes_for("measuring", self._target, _nodes())
        return [(node, node in measure) for node in _nodes()]

    def submit(self, task: StageTask) -> None:
        nodes = nodes_for(task.stage, self._target, _nodes())
        granted = at_most(self._training.added_to(task), nodes)
        node = least_busy(nodes, granted, self._under_way.values(), self._given)
        asked = {**ray_options(granted), **options_of(task.stage, self._target)}
        if node is not None and self._on_cluster:
            self._given[node] += 1
            asked["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=True)
        remote = _carry_out.options(**asked, name=task.stage)
        steps = remote.remote(granted, self._store, self._workload_folder, proxies_here(), HANG_S)
        self._under_way[steps] = SentStage(task, granted, node, time.monotonic())

    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        deadline = time.monotonic() + timeout_s
        while self._under_way:
            self._send_again_what_no_node_holds()
            left_s = max(0.0, deadline - time.monotonic())
            done, _ = ray.wait(list(self._under_way), num_returns=1, timeout=min(left_s, LOOK_EVERY_S))
            if not done:
                if left_s <= LOOK_EVERY_S:
                    break
                continue
            sent = self._under_way[done[0]]
            outcome = _next_step(done[0], sent)
            if outcome is None:
                sent.begun = time.monotonic()
                continue
            del self._under_way[done[0]]
            return [(sent.task, outcome)]
        return []

    def _send_again_what_no_node_holds(self) -> None:
        """Ask for less where the nodes are gone that could hold a stage: Ray would wait for ever."""
        if time.monotonic() < self._looked + LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        for steps, sent in [*self._under_way.items()]:
            nodes = nodes_for(sent.task.stage, self._target, _nodes())
            if sent.begun is None and is_too_large(sent.granted, nodes):
                ray.cancel(steps, force=True)
                del self._under_way[steps]
                self.submit(sent.task)

    def waiting(self) -> str | None:
        sent = long_waiting(self._under_way.values(), LONG_WAIT_S)
        nodes = [] if sent is None else nodes_for(sent.task.stage, self._target, _nodes())
        return None if sent is None else waiting_text(sent.granted, nodes, LONG_WAIT_S)

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
    return [size_of(node) for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _this_node() -> NodeSize:
    """What the node of this worker has for Ray."""
    own = ray.get_runtime_context().get_node_id()
    return next(size_of(node) for node in ray.nodes() if node["NodeID"] == own)  # type: ignore[no-untyped-call]


def _connect(address: str | None, cleanup: ProcessCleanup | None) -> None:
    disable_telemetry()
    with connecting(address, cleanup) as options:
        ray.init(**options)


def _enter_worker(proxies: dict[str, str]) -> None:
    disable_telemetry()
    restore_proxies(proxies)


@ray.remote(num_cpus=1, max_retries=0)
def _call(proxies: dict[str, str], function: Callable[..., Any], *given: Any) -> Any:
    """What a function of `runners.executors.worker_calls` gives in a worker."""
    _enter_worker(proxies)
    return function(_this_node(), *given)


def _reports(question: Question) -> dict[str, NodeReport | str | None]:
    """What each node answers in `ANSWER_S`, by its address; or why it cannot, or None where it does not."""
    given, asked = (proxies_here(), worker_calls.report, ray.put(question)), {}
    for node in (node for node in _nodes() if node.cpus):
        there = NodeAffinitySchedulingStrategy(node.identity, soft=False)
        asked[_call.options(num_cpus=0, scheduling_strategy=there).remote(*given)] = node.name
    deadline, left = time.monotonic() + ANSWER_S, [*asked]
    while left and time.monotonic() < deadline:
        _, left = ray.wait([*asked], num_returns=len(asked), timeout=GET_S)
    return {name: None if reference in left else _answer(reference) for reference, name in asked.items()}


def _answer(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except RayError as error:
        return _reason(error)


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


def _next_step(steps: Any, sent: SentStage) -> StageOutcome | None:
    """The outcome of a task, or None where it has begun."""
    stage = sent.task.stage
    try:
        step: StageOutcome | None = ray.get(next(steps))
        return step
    except RayTaskError as error:  # what a stage raises is an outcome: here its node cannot carry out any
        return StageOutcome({}, failure=f"{stage}: {_reason(error)}", failure_kind="machine")
    except RayError as error:
        if isinstance(error, WorkerCrashedError) and sent.may_have_hung(HANG_S):
            return sent.hung(HANG_S)
        return StageOutcome({}, failure=f"{stage}: {_reason(error)}", failure_kind="process")


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
