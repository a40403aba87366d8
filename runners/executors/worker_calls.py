"""What a worker is asked beside stages; each is given the size of its node, and imports when it is called."""

from collections.abc import Mapping
from typing import Any

from runners.executors.cluster.node_size import NodeSize
from runners.executors.cluster.workload_folder import unpack
from runners.runner import WorkloadFacts
from spaces.environment import Environment


def inspect(
    node: NodeSize, workload: Any, choices: Mapping[str, Any] | None, folder: bytes | None
) -> tuple[Environment, WorkloadFacts]:
    """What `runners.runner.Runner.inspect` gives, of this machine."""
    from runners.executors.inspection import inspect_on_this_machine
    from runners.executors.worker_imports import start_server_for

    workload = unpack(workload, folder)
    start_server_for(workload)
    return inspect_on_this_machine(workload, choices, node)


def describe(node: NodeSize) -> Environment:
    """The description of this machine."""
    from runners.executors.inspection import describe_allotted

    return describe_allotted(node)


def prepare(node: NodeSize, workload: Any, folder: bytes | None) -> None:
    """Import, beside the inspection, what the first stage of this worker would wait for."""
    from runners.executors.worker_imports import import_for_stages

    import_for_stages(unpack(workload, folder))


def report(node: NodeSize, question: Any) -> Any:
    """What this machine answers before the first trial; see `runners.executors.cluster.node_report`."""
    from runners.executors.cluster.node_report import make_report

    return make_report(question)
