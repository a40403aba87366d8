"""The chains of a study that tries every configuration of a space in which nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runners.backends import find_backend
from runners.chains.candidate_stages import reads_quantised
from runners.chains.chain import Chains
from runners.runner import StageTask
from spaces.configuration import Configuration

TIMING_S = 0.9
"""Seconds for which each configuration is timed against the baseline: three quarters of those of another search."""
CALIBRATING_PROCESSES = 1


@dataclass(frozen=True)
class PostTrainingChains(Chains):
    """Makes chains that share all work but the timing of a call, since one minute is to be enough for all.

    The network is exported to ONNX once, and an artifact is evaluated once for all its numbers of threads, in a stage
    beside which others run. The baseline is timed against itself in one process. Nothing serves, unless a quantity of
    serving is asked for.

    Attributes:
        serves: Whether a quantity of serving is asked for.
    """

    serves: bool = False

    def chain(self, configuration: Configuration, *, screened: bool = False) -> tuple[StageTask, ...]:
        """The stages of ``configuration`` from the teacher to the measurement, each after its inputs."""
        teacher = self.teacher()
        lowering = self.shared_lowering(configuration, teacher)
        artifact = {"parent": lowering[-1].key, "network": teacher.key}
        evaluating = self._evaluating(configuration, artifact)
        settings = {**self._measuring_settings(configuration), "budget_s": TIMING_S, "serves": self.serves}
        inputs = {"parent": lowering[-1].key, "evaluated": evaluating.key, "teacher": teacher.key}
        measuring = self.task("measuring", configuration, settings, inputs, exclusive=True)
        return (teacher, *lowering, evaluating, measuring)

    def evaluating(self, configuration: Configuration) -> StageTask:
        """As in `chain`, of which it is a stage."""
        return self.chain(configuration)[-2]

    def screening(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """Nothing: nothing is trained."""
        return ()

    def final(self, configuration: Configuration, trials: int, *given: Any, **settings: Any) -> StageTask:
        """There is none: the figures of such a study are those of its search.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a study that tries every configuration does not measure its front once more")

    def calibrating(
        self, study: str, offered: Sequence[int], occasion: int = 0, tuned: bool | None = None
    ) -> StageTask:
        """As `Chains.calibrating`, in one process."""
        usual = super().calibrating(study, offered, occasion, tuned)
        return self._baseline_task("calibrating", {**usual.settings, "processes": CALIBRATING_PROCESSES}, {})

    def shared_lowering(self, configuration: Configuration, network: StageTask) -> tuple[StageTask, ...]:
        """The stages from what ``network`` wrote to the artifact, after one export for all that read ONNX."""
        plan = self._candidates.lowering_plan(configuration)
        tasks: list[StageTask] = []
        inputs = {"parent": network.key}
        quantised = reads_quantised(plan)
        if quantised or find_backend(plan.runtime).reads_onnx:
            tasks.append(self.task("exporting", configuration, {}, inputs))
            inputs = {**inputs, "onnx": tasks[-1].key}
        if quantised:
            tasks.extend(self._candidates.quantising(configuration, inputs))
            inputs = {"parent": tasks[-1].key}
        return (*tasks, self._candidates.artifact(configuration, inputs))
