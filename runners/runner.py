"""The contract of a runner: carry out stages somewhere, and give each result back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from runners.metric import FRACTION, QualityMetric
from spaces.environment import Environment
from spaces.errors import WorkFailed


@dataclass(frozen=True)
class StageTask:
    """One stage to carry out; plain JSON types throughout, so that it travels.

    Attributes:
        stage: The module of ``runners.stages`` that does it, such as ``training``.
        key: SHA-256 over everything that decides the result (see `runners.stage_keys`).
        code: Digest of the code that the search expects to compute it; empty where that is not checked.
        settings: What the stage is to do.
        inputs: Keys of the stages whose results it reads, by role; ``parent`` is the one before it.
        workload: The reference from which `runners.workload_loading.reference.resolve` makes the workload.
        seed: Seed of everything random in it.
        cpus: Cores that it uses.
        gpus: Accelerators that it uses; a share of one where several stages may use it.
        memory_gib: Memory that it asks for in GiB, where that is said; else 0.
        accelerator_type: What Ray calls the accelerators that it asks for; empty is any.
        exclusive: Whether it must have its device to itself, as a measurement must.
        configuration: The candidate that first asked for it, for people and for the simulation.
    """

    stage: str
    key: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    workload: Any
    seed: int
    cpus: int = 1
    gpus: float = 0
    exclusive: bool = False
    memory_gib: float = 0.0
    accelerator_type: str = ""
    code: str = field(default="", compare=False)
    configuration: str = field(default="{}", compare=False)


FailureKind = Literal["candidate", "weights", "process", "machine"]
"""What failed where a stage has no result.

``candidate``: the stage raised, or did nothing until it was ended; the same again would fail again. ``weights``: so
too, but its network may succeed with other weights. ``process``: its process or its node died, as where memory ran
out; it may succeed when it is sent again. ``machine``: the stage store is full or does not answer, or the workload
cannot be loaded any more, or the node has other code than the search; all stages fail until somebody mends that.
"""


@dataclass(frozen=True)
class StageOutcome:
    """What came of a stage.

    Attributes:
        result: The stage's own figures, plain JSON types; empty where it failed.
        seconds: How long it took now; near 0 where the store had it.
        from_store: Whether the store had it.
        failure: One sentence on why there is no result, or None.
        failure_kind: What failed, where there is a failure.
        waited_s: How long it waited for its machine, because other programs measured or trained there.
    """

    result: Mapping[str, Any]
    seconds: float = 0.0
    from_store: bool = False
    failure: str | None = None
    failure_kind: FailureKind = "candidate"
    waited_s: float = 0.0


@dataclass(frozen=True)
class WorkloadFacts:
    """What a search must know of a workload before it draws the first candidate.

    Attributes:
        name: The workload's name.
        fingerprint: A hash of its data and its code.
        metric: The name of its quality metric.
        higher_is_better: Whether more of that is better.
        metric_unit: Its unit.
        training: The fields of its `TrainingPlan`.
        pretrained: Whether its model comes with weights.
        trains_in_levels: Whether a training of it can stop at a level and go on from there.
        input_shape: Shape of one example of the first input; None is a size that may differ between calls.
        inputs: The shapes of all inputs, by name.
        examples: Number of examples in each split that the data have.
        notes: What a person should know of it, a sentence each.
    """

    name: str
    fingerprint: str
    metric: str = "accuracy"
    higher_is_better: bool = True
    metric_unit: str = FRACTION
    training: Mapping[str, Any] = field(default_factory=dict)
    pretrained: bool = False
    trains_in_levels: bool = True
    input_shape: tuple[int | None, ...] = ()
    inputs: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    examples: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def quality(self) -> QualityMetric:
        """What an accuracy is."""
        return QualityMetric(self.metric, self.higher_is_better, self.metric_unit)


class StageFailed(WorkFailed):
    """A stage has no result; the message says why.

    Attributes:
        kind: What failed.
    """

    def __init__(self, message: str, kind: FailureKind = "candidate") -> None:
        super().__init__(message)
        self.kind = kind


class Runner(ABC):
    """Where stages are carried out. A runner never raises for what a stage does: it gives a failure back.

    Attributes:
        slots: How many candidates are worth keeping in flight.
    """

    slots: int = 1

    @abstractmethod
    def inspect(self, workload: Any, choices: Mapping[str, Any] | None = None) -> tuple[Environment, WorkloadFacts]:
        """The machine that measures and the facts of the workload, looked at where the stages will run.

        Args:
            workload: A reference, as `runners.workload_loading.reference.resolve` takes it.
            choices: ``{parameter: [values]}`` of the search: which of these changes the workload's network allows is
                part of the environment. None looks at everything that is offered by default.

        Raises:
            RequestError: The workload cannot be found or breaks its contract.
        """

    @abstractmethod
    def submit(self, task: StageTask) -> None:
        """Begin a stage. Its inputs are done."""

    @abstractmethod
    def wait(self, timeout_s: float) -> list[tuple[StageTask, StageOutcome]]:
        """The stages that ended since the last call: at least one, unless the time is up or none is under way."""

    def waiting(self) -> str | None:
        """Which stage has waited for long until its machine has room, what it asks for and what there is, or None."""
        return None

    @abstractmethod
    def cancel(self) -> None:
        """Stop what is under way; nothing of it will be given back, and other stages can be submitted."""

    @abstractmethod
    def close(self) -> None:
        """Stop what is under way and give everything back; may be called twice."""

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
