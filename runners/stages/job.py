"""What a stage is given to work with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runners.measuring.candidate_figures import CandidateFigures
from runners.runner import StageTask
from runners.store.entry import StoredStage
from runners.workload import Workload


@dataclass(frozen=True)
class StageJob:
    """A stage about to run.

    A module of ``runners.stages`` that does the work of a stage defines ``run(job) -> dict``: it writes files into
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

    @property
    def figures(self) -> CandidateFigures:
        """The parent's figures, which hold for this stage's result too unless it changes them."""
        return CandidateFigures.from_json(self.parent.result)
