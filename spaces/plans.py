"""The settings of the stages that follow changes of the network: how to train, to lower and to serve."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any

from spaces.configuration import Scalar
from spaces.errors import RequestError

OPTIMISERS = {"sgd": (0.2, 5e-4), "adamw": (1e-3, 0.05)}
"""The optimisers by name, each with the learning rate and the weight decay that it has where the plan says none."""
SCHEDULES = ("one-cycle", "cosine")
SOFT_TARGETS = "soft-targets"
DISTILLATION_METHODS = (SOFT_TARGETS, "features", "attention", "relations")


TRAINING_STRATEGIES = (
    "data-parallel", "data-parallel-threads", "sharded", "tensor-parallel", "pipeline", "data-tensor", "data-pipeline",
)  # fmt: skip
"""How several workers share a training: the files of ``runners/training/strategies`` but for that of one process."""
TRAINING_SPEED = ("train_seconds", "train_throughput_per_s")
"""The measured quantities that tell how fast a candidate is trained."""
PIPELINES = ("pipeline", "data-pipeline")
SHARING_A_NETWORK = 2
"""How many workers have a network together where they are divided into groups that share batches too."""
PIPELINE_SCHEDULES = ("1f1b", "gpipe", "interleaved")
COMMUNICATION = ("fp32", "bf16", "fp16")

ASSISTANT_WEIGHT, ASSISTANT_TEMPERATURE = 0.7, 4.0
"""How an assistant learns from the teacher where the workload's plan says nothing of distillation."""


@dataclass(frozen=True)
class TrainingPlan:
    """How weights are trained: by default one-cycle SGD with Nesterov momentum (Smith & Topin, arXiv 1708.07120).

    Attributes:
        epochs: Passes over the training split.
        batch_size: Examples per optimiser step, over all workers together.
        learning_rate: The peak of the schedule; by default 0.2 with SGD and 0.001 with AdamW. The default is filled in
            when the plan is made: `dataclasses.replace` with another ``optimiser`` keeps the number of the first one,
            and the weight decay too, so give all three.
        weight_decay: L2 penalty of SGD, by default 0.0005; decoupled decay of AdamW, by default 0.05, which leaves out
            norms and biases.
        workers: Processes, or accelerators of one process, that share the training; of those that divide a batch there
            are at most as many as it has examples.
        strategy: How they share it, see ``runners/training/strategies``; nothing to share with one.
        sync_batch_norm: Whether batch normalisation uses the statistics of the whole batch where workers share it, as
            one process does, or each those of its own examples, which is faster.
        communication: Number format in which gradients travel: ``fp32`` as they are, ``bf16`` or ``fp16``.
        micro_batches: Equal parts of a batch that go through a pipeline one behind the other; fewer where it cannot be
            cut into so many.
        pipeline_schedule: Order of their passes: ``1f1b``, ``gpipe``, or ``interleaved`` with two stages a worker.
        distillation_weight: Share of the loss that comes from the teacher's soft targets, 0 to 1.
        distillation_temperature: Temperature of the soft targets (Hinton et al., arXiv 1503.02531).
        distillation_method: ``soft-targets`` alone, or the distance between layers besides: ``features``, ``attention``
            or ``relations``, see `runners.training.layer_distance`.
        distillation_layer_weight: What that distance is multiplied with before it is added to the loss.
        distillation_assistant: Width of the network between teacher and student, which learns from the one and teaches
            the other (Mirzadeh et al., arXiv 1902.03393); 0 is none.
        train_before_pruning: Whether a student that is pruned is trained before that too.
        optimiser: ``sgd`` or ``adamw`` (Loshchilov & Hutter, arXiv 1711.05101).
        schedule: ``one-cycle``, or ``cosine``: a linear warm-up, then half a cosine down to 0 (arXiv 1608.03983).
        warmup: Share of all steps in which the cosine schedule rises, from 0 to below 1; one-cycle has its own.
        label_smoothing: Of cross-entropy, from 0 to below 1 (Szegedy et al., arXiv 1512.00567).
        mixup: Both parameters of the beta distribution from which the share of each of two mixed examples is drawn;
            0 mixes none (Zhang et al., arXiv 1710.09412).
        gradient_clipping: Largest norm of all gradients together; longer ones are scaled down to it. 0 clips none.
        accumulation: Parts in which each batch is computed, one after the other: less memory, the same step but for
            batch normalisation, which sees a part at a time.
        trainable: Share of the network's blocks that are trained, counted from its outputs, from 0, which is the last
            one alone, to 1; see `runners.models.blocks`.
        layer_decay: Factor of the learning rate from each block to the one before it, above 0 and up to 1 (Howard &
            Ruder, arXiv 1801.06146).
        ema: Decay of the exponential moving average of the weights, from 0 to below 1, such as 0.999; the network that
            is judged and kept has the average. 0 keeps the weights themselves.

    Raises:
        RequestError: A value is not allowed.
    """

    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = None  # type: ignore[assignment]  # that of the optimiser, filled in below
    weight_decay: float = None  # type: ignore[assignment]  # likewise
    workers: int = 1
    strategy: str = "data-parallel"
    sync_batch_norm: bool = True
    communication: str = "fp32"
    micro_batches: int = 4
    pipeline_schedule: str = "1f1b"
    distillation_weight: float = 0.0
    distillation_temperature: float = 1.0
    distillation_method: str = SOFT_TARGETS
    distillation_layer_weight: float = 1.0
    distillation_assistant: float = 0.0
    train_before_pruning: bool = False
    optimiser: str = "sgd"
    schedule: str = "one-cycle"
    warmup: float = 0.05
    label_smoothing: float = 0.0
    mixup: float = 0.0
    gradient_clipping: float = 0.0
    accumulation: int = 1
    trainable: float = 1.0
    layer_decay: float = 1.0
    ema: float = 0.0

    def __post_init__(self) -> None:
        usual = OPTIMISERS.get(self.optimiser) if isinstance(self.optimiser, str) else None
        for name, value in zip(("learning_rate", "weight_decay"), usual or (1.0, 0.0), strict=True):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name, schema in FIELD_SCHEMAS.items():
            value = getattr(self, name)
            if not _holds(schema, value):
                raise RequestError(f"training: {name} is {value!r}; give {_in_words(schema)}")

    @property
    def distils(self) -> bool:
        """Whether a changed network learns from its teacher."""
        return self.distillation_weight > 0 or self.compares_layers

    @property
    def batch_shares(self) -> int:
        """Among how many workers a batch is divided."""
        if self.strategy in ("tensor-parallel", "pipeline"):
            return 1
        divided = (
            self.workers // SHARING_A_NETWORK if self.strategy in ("data-tensor", "data-pipeline") else self.workers
        )
        return max(1, divided)

    @property
    def compares_layers(self) -> bool:
        """Whether it is compared with its teacher layer by layer too."""
        return self.distillation_method != SOFT_TARGETS

    def for_new_weights(self) -> "TrainingPlan":
        """The plan by which a network without trained weights is trained: all of its blocks, at one learning rate."""
        return replace(self, trainable=1.0, layer_decay=1.0)

    def for_assistant(self) -> "TrainingPlan":
        """The plan by which an assistant learns from the teacher, the same for all candidates: by soft targets."""
        weight, temperature = self.distillation_weight, self.distillation_temperature
        if not weight:
            weight, temperature = ASSISTANT_WEIGHT, ASSISTANT_TEMPERATURE
        return replace(
            self.for_new_weights(),
            distillation_weight=weight,
            distillation_temperature=temperature,
            distillation_method=SOFT_TARGETS,
            distillation_assistant=0.0,
        )


_COUNT = {"type": "integer", "minimum": 1}
_ABOVE_ZERO = {"type": "number", "exclusiveMinimum": 0}
_FROM_ZERO = {"type": "number", "minimum": 0}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_BELOW_ONE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
FIELD_SCHEMAS: dict[str, dict[str, Any]] = {
    "epochs": _COUNT,
    "batch_size": _COUNT,
    "learning_rate": _ABOVE_ZERO,
    "weight_decay": _FROM_ZERO,
    "workers": _COUNT,
    "strategy": {"enum": [*TRAINING_STRATEGIES]},
    "sync_batch_norm": {"type": "boolean"},
    "communication": {"enum": [*COMMUNICATION]},
    "micro_batches": _COUNT,
    "pipeline_schedule": {"enum": [*PIPELINE_SCHEDULES]},
    "distillation_weight": _SHARE,
    "distillation_temperature": _ABOVE_ZERO,
    "distillation_method": {"enum": [*DISTILLATION_METHODS]},
    "distillation_layer_weight": _ABOVE_ZERO,
    "distillation_assistant": _BELOW_ONE,
    "train_before_pruning": {"type": "boolean"},
    "optimiser": {"enum": [*OPTIMISERS]},
    "schedule": {"enum": [*SCHEDULES]},
    "warmup": _BELOW_ONE,
    "label_smoothing": _BELOW_ONE,
    "mixup": _FROM_ZERO,
    "gradient_clipping": _FROM_ZERO,
    "accumulation": _COUNT,
    "trainable": _SHARE,
    "layer_decay": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "ema": _BELOW_ONE,
}
"""What each field of a `TrainingPlan` may be, as a JSON schema: one of some texts, or a number within bounds."""


def _holds(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether ``value`` is as the ``schema`` says; a number has to be finite, and may be of any type but bool."""
    if "enum" in schema:
        return isinstance(value, str) and value in schema["enum"]
    if schema["type"] == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, Integral if schema["type"] == "integer" else Real):
        return False
    if not isinstance(value, Integral) and not math.isfinite(value):
        return False
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    return bool(least <= value <= most and above < value < below)


def _in_words(schema: Mapping[str, Any]) -> str:
    """Such as ``a number from 0 to below 1``."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "boolean":
        return "true or false"
    begin = f"from {schema['minimum']}" if "minimum" in schema else f"above {schema['exclusiveMinimum']}"
    ends = {"maximum": "to", "exclusiveMaximum": "to below"}
    end = "".join(f" {words} {schema[key]}" for key, words in ends.items() if key in schema)
    return f"{'a whole number' if schema['type'] == 'integer' else 'a number'} {begin}{end}"


@dataclass(frozen=True)
class LoweringPlan:
    """How a trained network is lowered.

    Attributes:
        runtime: The inference runtime.
        precision: The number format in which it computes, one of `spaces.number_formats.NUMBER_FORMATS`.
        quantisation: Settings of quantisation after training by name, such as how ranges are found; what is left out
            is as the runtime has it fastest. They are read where the format is quantised from the ONNX file.
        options: Settings of the runtime by name; what is left out is the runtime's default. The backend reads them.
    """

    runtime: str = "eager"
    precision: str = "fp32"
    quantisation: Mapping[str, Scalar] = field(default_factory=dict)
    options: Mapping[str, Scalar] = field(default_factory=dict)

    def with_quantisation(self, **settings: Scalar) -> "LoweringPlan":
        """The same with these settings of quantisation among the others."""
        return replace(self, quantisation={**self.quantisation, **settings})

    def with_options(self, **settings: Scalar) -> "LoweringPlan":
        """The same with these settings of the runtime among the others."""
        return replace(self, options={**self.options, **settings})


@dataclass(frozen=True)
class ServingPlan:
    """How the artifact is served: by ``replicas`` processes at the same time, with ``threads`` threads each."""

    replicas: int = 1
    threads: int = 1
