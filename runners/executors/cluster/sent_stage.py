"""A stage under way on a cluster, and the node that is chosen for the next one."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runners.executors.cluster.node_size import NodeSize
from runners.runner import StageOutcome, StageTask

LONG_WAIT_S = 60.0
"""A stage that has waited longer than this for cores and accelerators is worth a note."""


@dataclass
class SentStage:
    """A stage under way, as it was sent.

    Attributes:
        task: The stage.
        granted: The same with what it asks for on the cluster.
        node: The node that was chosen for it, or None where none could hold it.
        since: When it was sent.
        begun: When it began, or None.
    """

    task: StageTask
    granted: StageTask
    node: str | None
    since: float
    begun: float | None = None

    def may_have_hung(self, limit_s: float) -> bool:
        """Whether a worker that ended by itself was at it for so long that it may have done nothing for ``limit_s``.

        It would do so again. A stage with a process of its own has the limit of that process instead.
        """
        from runners.stages.run import limit_of_own_process

        long = self.begun is not None and time.monotonic() - self.begun >= limit_s
        return long and limit_of_own_process(self.task) is None

    def hung(self, limit_s: float) -> StageOutcome:
        """What came of it where it did nothing for ``limit_s``."""
        failure = f"{self.task.stage}: it did nothing for {limit_s:.0f} s and its process was ended"
        return StageOutcome({}, failure=failure, failure_kind="candidate")


def long_waiting(under_way: Iterable[SentStage], limit_s: float) -> SentStage | None:
    """The first of the stages that has waited for longer than ``limit_s`` without having begun, or None."""
    now = time.monotonic()
    return next((sent for sent in under_way if sent.begun is None and now - sent.since > limit_s), None)


def least_busy(
    nodes: Sequence[NodeSize], task: StageTask, under_way: Iterable[SentStage], given: Counter[str]
) -> str | None:
    """The node for ``task``: the one that is asked for the smallest share of what it has, then the one given fewest.

    Ray's own spreading prefers nodes whose processes run already, however many stages wait there.

    Args:
        nodes: Those on which it may run.
        task: What it asks for.
        under_way: The stages that were sent and have not ended.
        given: How many stages each node was given in all.

    Returns:
        The identity of the node; None where none of them holds it.
    """
    asked: dict[str, tuple[float, float]] = {}
    for sent in under_way:
        if sent.node is not None:
            cpus, gpus = asked.get(sent.node, (0, 0))
            asked[sent.node] = cpus + sent.granted.cpus, gpus + sent.granted.gpus

    def busy(node: NodeSize) -> tuple[float, int]:
        cpus, gpus = asked.get(node.identity, (0, 0))
        return max(cpus / max(1, node.cpus), gpus / max(1, node.gpus)), given[node.identity]

    possible = [node for node in nodes if node.holds(task)]
    return min(possible, key=busy).identity if possible else None
