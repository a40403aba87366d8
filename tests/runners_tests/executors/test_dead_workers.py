"""What is told where a worker of Ray ends without an answer, and whether its stage is sent again."""

import time
from collections.abc import Iterator

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, WorkerCrashedError

from runners.executors import ray as ray_module
from runners.executors.cluster.sent_stage import SentStage
from runners.executors.ray import _next_step
from runners.runner import StageTask

pytestmark = pytest.mark.faults("worker died")

LOWERING = StageTask("lowering", "1" * 64, {"runtime": "torchscript"}, {}, "synthetic", 0)
TRAINING = StageTask("training", "2" * 64, {}, {}, "synthetic", 0)


def ends_with(error: RayError) -> Iterator[None]:
    raise error
    yield


@pytest.mark.parametrize(
    ("task", "error", "failure", "kind"),
    [
        (LOWERING, WorkerCrashedError(), "it did nothing for 900 s and its process was ended", "candidate"),
        (LOWERING, NodeDiedError("gone"), "its node died before it answered", "process"),
        (
            LOWERING,
            OutOfMemoryError("full"),
            "its process was ended because the machine ran out of memory",
            "process",
        ),
        (TRAINING, WorkerCrashedError(), "its process died before it answered", "process"),
    ],
    ids=["hangs", "node", "memory", "process of its own"],
)
def test_only_a_worker_that_may_have_hung_is_taken_to_have_done_so(
    task: StageTask, error: RayError, failure: str, kind: str
) -> None:
    sent = SentStage(task, task, None, since=0.0, begun=time.monotonic() - ray_module.HANG_S - 1)
    outcome = _next_step(ends_with(error), sent)
    assert outcome is not None
    assert (outcome.failure, outcome.failure_kind) == (f"{task.stage}: {failure}", kind)
