"""``frontrunner.json``, the document of an exported folder: what a reader of it relies on."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from runners.metric import FRACTION, Direction, QualityMetric

SCHEMA_VERSION = 1
DOCUMENT = "frontrunner.json"
"""Name of the file."""

Threads = Annotated[int, Field(ge=1, le=1024)]
"""No machine at hand has more cores, and a library that is asked for a billion threads takes the machine down."""


class Part(BaseModel):
    """One part of the document, all numbers finite; other keys may stand beside those that are named."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, strict=True, frozen=True)


class FileDigest(Part):
    """What a file of the folder was when it was written."""

    sha256: str
    bytes: int


class Signature(Part):
    """An input or the output; the first size is the word ``batch``, and null is one that may differ between calls."""

    name: str = "input"
    dtype: str = "float32"
    shape: list[Annotated[int, Field(ge=1, le=2**24)] | str | None]


class Runtime(Part):
    """The backend that opens the model."""

    name: str


class Document(Part):
    """What is needed to open the model; one input is ``input``, several are ``inputs`` in their order."""

    runtime: Runtime
    input: Signature | None = None
    inputs: list[Signature] = []
    files: dict[str, FileDigest]

    @model_validator(mode="after")
    def _require_inputs(self) -> "Document":
        if bool(self.input) == bool(self.inputs):
            raise ValueError("give input or inputs")
        return self

    @property
    def signatures(self) -> list[Signature]:
        """The inputs in their order."""
        return [self.input] if self.input else self.inputs


class ClaimedRuntime(Runtime):
    """The backend, and the threads of one call when it was measured."""

    threads: Threads


class Origin(Part):
    """Where the model comes from."""

    workload: str | dict[str, Any]


class Measured(Part):
    """How and on what the claims were measured: the speedup in so many fresh ``processes``, and over so many
    ``timed_inputs`` where it depends on them.
    """

    device: str
    baseline_threads: Threads
    baseline_tuned: bool = False
    batch: Annotated[int, Field(ge=1, le=2**16)] = 1
    timed_inputs: Annotated[int, Field(ge=1, le=2**16)] = 1
    metric: str = "accuracy"
    metric_direction: Direction = "maximize"
    metric_unit: str = FRACTION
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    processes: Annotated[int, Field(ge=1)] = 1

    @property
    def quality(self) -> QualityMetric:
        """What an accuracy is."""
        return QualityMetric(self.metric, self.metric_direction == "maximize", self.metric_unit)


class Claims(Part):
    """The figures that the model is held to."""

    accuracy: float
    accuracy_test: float | None = None
    speedup: Annotated[float, Field(gt=0)]
    speedup_ci95: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2, max_length=2)]
    unstable: str = ""


class ClaimedDocument(Document):
    """What is needed to hold the folder to its claims."""

    runtime: ClaimedRuntime
    origin: Origin
    measured: Measured
    claims: Claims
