"""A cell of the table of families: a technique on a family's network, lowered to a runtime by the project's stages."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from parts.family_workloads import reference

from runners.backends import backend_names, find_backend
from runners.chains.candidate_stages import CandidateStages
from runners.chains.post_training import PostTrainingChains
from runners.executors.inspection import inspect_on_this_machine
from runners.executors.model_limits import find_model_limits
from runners.machine.resources import CALLING_NETWORKS
from runners.processes.fork_server import start_server
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed, StageOutcome, StageTask, WorkloadFacts
from runners.stages.run import run_stage
from runners.store.location import open_store
from runners.store.stage_store import StageStore
from runners.workload_loading.reference import resolve
from spaces.configuration import Configuration, Scalar
from spaces.environment import Environment
from spaces.errors import RequestError, WorkFailed
from spaces.space_document import make_space

TECHNIQUES: dict[str, dict[str, Scalar]] = {
    "as it is": {},
    "width 0.5": {"student_width": 0.5},
    "pruning 0.5": {"channel_pruning": 0.5},
    "bf16": {"numeric_precision": "bf16"},
    "int8": {"numeric_precision": "int8"},
}
CHANGES: tuple[dict[str, list[Scalar]], ...] = ({"student_width": [1.0, 0.5]}, {"channel_pruning": [0.0, 0.5]})
"""What is tried on the network before anything is offered, as a search tries it."""
LIMIT_S = 240.0
"""A stage whose process does nothing for so long is ended."""
RUNTIMES = backend_names()
IMPORTED = ("torchvision", "torch_pruning", "onnx", "runners.stages.run", "runners.stages.exporting")
"""What no process has to import again."""

Status = Literal["works", "not offered", "failed"]


@dataclass(frozen=True)
class Cell:
    """What came of one technique on one family in one runtime.

    Attributes:
        family: One of `family_workloads.SMALLEST`.
        technique: One of `TECHNIQUES`.
        runtime: The name of a backend.
        status: ``works`` where the artifact gives the outputs of the network that it was lowered from.
        reason: Why it is not offered, or how it failed; empty where it works.
        seconds: What it took; work that cells share counts in the first of them.
    """

    family: str
    technique: str
    runtime: str
    status: Status
    reason: str = ""
    seconds: float = 0.0


def cells_of(family: str, wanted: Sequence[tuple[str, str]]) -> Iterator[Cell]:
    """The cells of a ``family``, each as soon as it is known.

    Every stage runs in a process of its own, so that one that crashes or hangs is a failure of its cell. What cells
    share, such as the changed network and its export to ONNX, is computed once; what this machine has is found once.

    Args:
        family: One of `family_workloads.SMALLEST`.
        wanted: Pairs of a technique and a runtime.
    """
    start_server(IMPORTED)
    try:
        seen = _look_at(reference(family))
    except WorkFailed as error:
        yield from (Cell(family, technique, runtime, "failed", str(error)) for technique, runtime in wanted)
        return
    with tempfile.TemporaryDirectory() as place:
        store = open_store(place)
        for technique, runtime in wanted:
            yield _cell(Cell(family, technique, runtime, "works"), *seen, store)


def _look_at(workload: str) -> tuple[Environment, WorkloadFacts]:
    """This machine with what the network of ``workload`` does not allow, and the facts of the workload."""
    environment, facts = inspect_on_this_machine(workload, {"runtime": "every", "numeric_precision": "every"})
    changes = [limit for choices in CHANGES for limit in find_model_limits(resolve(workload), environment, choices)]
    return replace(environment, model_limits=(*environment.model_limits, *changes)), facts


def _cell(cell: Cell, environment: Environment, facts: WorkloadFacts, store: StageStore) -> Cell:
    began = time.perf_counter()
    choices: Mapping[str, Any] = {**TECHNIQUES[cell.technique], "runtime": cell.runtime}
    try:
        space = make_space(choices, environment)
    except RequestError as error:
        return replace(cell, status="not offered", reason=_reason_in(str(error)))
    stages = CandidateStages(space, facts, reference(cell.family), 0, lambda epochs: (epochs,))
    chains = PostTrainingChains(space, facts, reference(cell.family), 0)
    try:
        for task in _tasks(stages, chains, next(space.configurations())):
            outcome = _outcome(task, store)
            if outcome.failure:
                raise StageFailed(outcome.failure)
    except StageFailed as error:
        return replace(cell, status="failed", reason=str(error), seconds=time.perf_counter() - began)
    return replace(cell, seconds=time.perf_counter() - began)


def _outcome(task: StageTask, store: StageStore) -> StageOutcome:
    """What came of a stage; one that starts a process for its work itself is run here, as two of them cost seconds."""
    compiles = task.stage == "lowering" and find_backend(task.settings["runtime"]).compiles
    if compiles or task.stage in (*CALLING_NETWORKS, "evaluating"):
        return run_stage(task, store)
    outcome: StageOutcome = call_fresh(run_stage, task, store, what=task.stage, timeout_s=LIMIT_S)
    return outcome


def _tasks(stages: CandidateStages, chains: PostTrainingChains, configuration: Configuration) -> tuple[StageTask, ...]:
    """From the teacher to the artifact, whose outputs are compared with those of its network, without training."""
    network = stages.untrained(configuration) or (stages.teacher(configuration),)
    lowering = chains.shared_lowering(configuration, network[-1])
    settings = {"splits": ["validation"], "device": stages.space.environment.device}
    inputs = {"parent": lowering[-1].key, "network": network[-1].key}
    return (*network, *lowering, stages.task("evaluating", configuration, settings, inputs))


def _reason_in(message: str) -> str:
    """The reason alone of a message that nothing of a space can run."""
    listed = message.split("can run here (", 1)[-1].rsplit("); offer", 1)[0]
    reason = listed.split("; ", 1)[0].split(": ", 1)[-1]
    return reason.split(" goes with it: ", 1)[-1]
