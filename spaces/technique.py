"""One axis of acceleration: what it can be set to, when it is unsupported and why, and what it changes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from spaces.configuration import Scalar
from spaces.environment import Environment


class Stage(IntEnum):
    """The order in which a candidate is built; a technique acts at one of them.

    What `Technique.apply` is given, and gives back, follows from the stage:
    STUDENT and PRUNE a ``torch.nn.Module``; TRAIN a `TrainingPlan`; QUANTISE and LOWER a `LoweringPlan`;
    SERVE a `ServingPlan`.
    """

    STUDENT = 1
    PRUNE = 2
    TRAIN = 3
    QUANTISE = 4
    LOWER = 5
    SERVE = 6


CHANGES_THE_MODEL = (Stage.STUDENT, Stage.PRUNE)


@dataclass(frozen=True)
class Parameter:
    """One choice of a technique.

    Attributes:
        name: Unique over all techniques; the word in study files, flags and MLflow.
        choices: The values offered by default.
        neutral: The value that leaves the teacher as it is.
        allowed: What may be written in a study file, in words.
        label: How a value is shown where there is little room, such as ``width={}``; empty is ``name={}``.
        affects: The measured quantities that it can change, where it changes few; empty is any.
    """

    name: str
    choices: tuple[Scalar, ...]
    neutral: Scalar
    allowed: str
    label: str = ""
    affects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """The choices drawn before this one.

    Attributes:
        choices: Values by parameter name.
        model_changed: Whether an earlier technique changes the network, so that it must be trained.
    """

    choices: Mapping[str, Scalar]
    model_changed: bool


@dataclass(frozen=True)
class ModelContext:
    """What a technique that changes the network may use beside it.

    Attributes:
        example: Input batch of one, a tensor of shape ``(1, *input_shape)``.
        seed: Seed for anything that is drawn at random.
    """

    example: Any
    seed: int


class Technique(ABC):
    """The contract of a file in ``spaces/techniques``, which declares one instance as ``TECHNIQUE``.

    A technique knows only itself and the choices *earlier* than its own: no lists of pairs, nobody else's
    file edited.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    parameters: ClassVar[tuple[Parameter, ...]]
    needs: ClassVar[tuple[str, ...]] = ()
    """Optional packages that it imports."""
    speed_depends_on_weights: ClassVar[bool] = False
    """Whether the artifact's speed is decided by trained weights, as with sparse formats or an early exit.

    Where it is not, a candidate is timed before it is trained, and perhaps never trained at all.
    """

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """The values offered by default in this environment."""
        return parameter.choices

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        """The value that leaves the teacher as it is in this environment."""
        return parameter.neutral

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        """Whether a person may write ``value`` for ``parameter`` at all, on any machine."""
        return value in parameter.choices

    def known_here(self, parameter: Parameter, value: Scalar, environment: Environment) -> bool:
        """Whether ``value`` names something that exists in this environment, whether it is supported or not."""
        return True

    def relevant(self, parameter: Parameter, earlier: Earlier) -> bool:
        """Whether ``parameter`` is drawn at all after these earlier choices."""
        return True

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        """Why ``value`` cannot run after these earlier choices here, or None where it can."""
        return None

    @abstractmethod
    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        """Change what the stage works on (see `Stage`) as ``settings`` say; never called with neutral settings.

        Args:
            subject: A network, or a plan; a plan is replaced, a network may be changed in place.
            settings: This technique's own choices by parameter name.
            context: The example input for a network, None for a plan.
        """
