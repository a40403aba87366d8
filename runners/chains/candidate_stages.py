"""The stages that build a candidate: those of its network, and from there to the artifact."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from runners.backends import find_backend
from runners.chains.training_speed import TrainingSpeedStages
from runners.runner import StageTask
from spaces.configuration import Configuration, Scalar
from spaces.number_formats import NUMBER_FORMATS
from spaces.plans import LoweringPlan
from spaces.technique import Stage

SCREENING_IMAGES = 16
"""Images on which an untrained network is calibrated: other ranges do not make int8 faster or slower."""


def reads_quantised(plan: LoweringPlan) -> bool:
    """Whether the runtime of ``plan`` is given an ONNX file that was quantised before."""
    return NUMBER_FORMATS[plan.precision].quantised and not find_backend(plan.runtime).quantises


def quantising_settings(plan: LoweringPlan) -> dict[str, Scalar]:
    """What the stage ``quantising`` is told: the format, the defaults of the runtime and what was chosen."""
    return {"precision": plan.precision, **find_backend(plan.runtime).quantisation, **plan.quantisation}


@dataclass(frozen=True)
class CandidateStages(TrainingSpeedStages):
    """Makes the stages that build the candidates of one study, from the teacher to the artifact."""

    def lowering(
        self, configuration: Configuration, parent: StageTask, *, screened: bool = False
    ) -> tuple[StageTask, ...]:
        """The stages from the weights that ``parent`` wrote to the artifact.

        Args:
            configuration: A candidate.
            parent: The stage that wrote them.
            screened: Whether it is only timed.
        """
        plan, inputs = self.lowering_plan(configuration), {"parent": parent.key}
        images = {"images": SCREENING_IMAGES} if screened else {}
        if not reads_quantised(plan):
            return (self.artifact(configuration, inputs, images),)
        if any(technique.quantises for technique, _ in self.chosen(configuration)):
            exporting = self.task("exporting", configuration, {}, inputs)
            return exporting, self.artifact(configuration, {**inputs, "onnx": exporting.key})
        quantising = self.quantising(configuration, inputs, images)
        return (*quantising, self.artifact(configuration, {"parent": quantising[-1].key}))

    def quantising(
        self, configuration: Configuration, inputs: Mapping[str, str], calibration: Mapping[str, Scalar] | None = None
    ) -> tuple[StageTask, ...]:
        """The stages that quantise a trained network; where layers stay in floating point, after one that ranks them.

        Args:
            configuration: A candidate.
            inputs: The weights as ``parent`` and, where the network was exported before, ``onnx``.
            calibration: Settings that win over those of the candidate.
        """
        settings = {**quantising_settings(self.lowering_plan(configuration)), **(calibration or {})}
        tasks: list[StageTask] = []
        if "float_share" in settings:
            if "onnx" not in inputs:
                tasks.append(self.task("exporting", configuration, {}, inputs))
                inputs = {**inputs, "onnx": tasks[-1].key}
            ranked = {name: value for name, value in settings.items() if name != "float_share"}
            tasks.append(self.task("ranking", configuration, ranked, inputs))
            inputs = {**inputs, "ranking": tasks[-1].key}
        return (*tasks, self.task("quantising", configuration, settings, inputs))

    def packing(self, configuration: Configuration, lowered: StageTask) -> tuple[StageTask, ...]:
        """The stage that packs the artifact that ``lowered`` wrote; none where no technique makes that worthwhile."""
        if not self.packs(configuration):
            return ()
        return (self.task("packing", configuration, {}, {"parent": lowered.key}),)

    def packs(self, configuration: Configuration) -> bool:
        """Whether the artifact is stored in a smaller file."""
        return any(technique.packs for technique, _ in self.chosen(configuration))

    def lowering_plan(self, configuration: Configuration) -> LoweringPlan:
        """The runtime and the number format of ``configuration``, with the settings of both."""
        return self.plan(configuration, (Stage.QUANTISE, Stage.LOWER, Stage.OPTIONS), LoweringPlan())

    def artifact(
        self, configuration: Configuration, inputs: Mapping[str, str], calibration: Mapping[str, Scalar] | None = None
    ) -> StageTask:
        """The stage that lowers what ``inputs`` name; its settings name the machine where the artifact is for it.

        Those of ``calibration`` are read by a runtime that quantises the network itself.
        """
        plan, machine = self.lowering_plan(configuration), self.space.environment
        on = {"device": machine.device, "cpu_flags": list(machine.cpu_flags)}
        chosen = {name: value for name, value in asdict(plan).items() if name != "quantisation"}
        backend, quantised = find_backend(plan.runtime), NUMBER_FORMATS[plan.precision].quantised
        settings = {**chosen, **(on if backend.for_this_machine else {})}
        settings |= (calibration or {}) if quantised and backend.quantises else {}
        return self.task("lowering", configuration, settings, inputs)
