"""The settings of the stages that follow changes of the network: how to train, to lower and to serve."""

from dataclasses import dataclass

from spaces.errors import RequestError


@dataclass(frozen=True)
class TrainingPlan:
    """How weights are trained: one-cycle SGD with Nesterov momentum (Smith & Topin, arXiv 1708.07120).

    Attributes:
        epochs: Passes over the training split.
        batch_size: Images per optimiser step, over all workers together.
        learning_rate: The peak of the one-cycle schedule.
        weight_decay: L2 penalty of SGD.
        workers: Data-parallel processes.
        distillation_weight: Share of the loss that comes from the teacher's soft targets, 0 to 1.
        distillation_temperature: Temperature of the soft targets (Hinton et al., arXiv 1503.02531).

    Raises:
        RequestError: A number that must be above 0 is not.
    """

    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 0.2
    weight_decay: float = 5e-4
    workers: int = 1
    distillation_weight: float = 0.0
    distillation_temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "workers"):
            if not getattr(self, name) > 0:
                raise RequestError(f"training: {name} is {getattr(self, name)}; it must be above 0")


@dataclass(frozen=True)
class LoweringPlan:
    """How a trained network is lowered: the inference runtime, and the number format in which it computes."""

    runtime: str = "eager"
    precision: str = "fp32"


@dataclass(frozen=True)
class ServingPlan:
    """How the artifact is served: by ``replicas`` processes at the same time, with ``threads`` threads each."""

    replicas: int = 1
    threads: int = 1
