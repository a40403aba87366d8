"""The steps by which a technique changes a network: change, train, and rewind."""

from collections.abc import Mapping
from dataclasses import dataclass

from spaces.configuration import Scalar


@dataclass(frozen=True)
class Change:
    """A step that calls `Technique.apply` on the network.

    Attributes:
        settings: What it is called with: the choices of the technique, and what else tells the steps apart.
    """

    settings: Mapping[str, Scalar]


@dataclass(frozen=True)
class Train:
    """A step that trains the network, as the candidate's plan says but for what is given here.

    Attributes:
        epochs: Passes over the training split; None is as many as the plan has.
        learning_rate: The peak of the schedule as a share of the plan's own; what is tuned from trained weights needs
            less than what is trained from new ones.
        distillation_weight: Share of the loss that comes from the teacher's soft targets, and by no other method; None
            is as the plan says.
        autocast: Whether it computes in bf16 where the machine trains in that; else in fp32.
    """

    epochs: int | None = None
    learning_rate: float = 1.0
    distillation_weight: float | None = None
    autocast: bool = True


@dataclass(frozen=True)
class Rewind:
    """A step that gives the network the weights back that it had early in its training (`runners.stages.rewinding`).

    What a parametrisation decides, such as which weights are zero, stays as it is. A network that came with weights is
    given those.

    Attributes:
        epochs: After so many epochs; 0 are its first weights.
    """

    epochs: int = 1


Step = Change | Train | Rewind
