"""The contract of a technique: its parameters, when a value is unsupported and why, and what it changes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from spaces.configuration import Scalar
from spaces.environment import Environment


class Stage(IntEnum):
    """The stages of building a candidate, in their order; each technique belongs to one.

    The stage decides what `Technique.apply` takes and returns: STUDENT and PRUNE a ``torch.nn.Module``; TRAIN a
    `TrainingPlan`; QUANTISE and LOWER a `LoweringPlan`; SERVE a `ServingPlan`.
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
        name: Name in study files and MLflow, unique over all techniques.
        choices: The values offered by default.
        neutral: The value that does not change the teacher.
        allowed: What may be written in a study file, in words.
        label: Short text for a value in tables, such as ``width={}``; empty means ``name={}``.
        affects: The measured quantities that it can change; empty means all.
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
    """What a technique that changes the network gets besides the network.

    Attributes:
        example: Input batch of one, a tensor of shape ``(1, *input_shape)``.
        seed: Seed of all random numbers.
        initial: Makes the workload's network with new initial weights.
    """

    example: Any
    seed: int
    initial: Callable[[], Any]


class Technique(ABC):
    """The contract of a file in ``spaces/techniques``, which declares one instance as ``TECHNIQUE``.

    A technique looks only at its own parameters and at *earlier* choices, so that a new one needs no change of another
    file.
    """

    name: ClassVar[str]
    stage: ClassVar[Stage]
    parameters: ClassVar[tuple[Parameter, ...]]
    needs: ClassVar[tuple[str, ...]] = ()
    """The optional packages that it imports."""
    speed_depends_on_weights: ClassVar[bool] = False
    """Whether the artifact's speed depends on the trained weights, as with sparse formats or an early exit.

    If it does not, candidates are timed before they are trained.
    """

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """The values offered by default in this environment."""
        return parameter.choices

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        """The value that does not change the teacher in this environment."""
        return parameter.neutral

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        """Whether ``value`` is allowed for ``parameter`` on some machine."""
        return value in parameter.choices

    def known_here(self, parameter: Parameter, value: Scalar, environment: Environment) -> bool:
        """Whether ``value`` names something that exists in this environment, even if it is unsupported."""
        return True

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        """Whether ``parameter`` is drawn after these earlier choices."""
        return True

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        """Why ``value`` cannot run here after these earlier choices, or None."""
        return None

    @abstractmethod
    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        """The subject of the stage (see `Stage`), changed by ``settings``.

        A network is never given with neutral settings. A plan is: what was chosen, neutral or not, wins over what the
        workload's own plan says.

        Args:
            subject: A network, or a plan; a plan is replaced, a network may be changed in place.
            settings: This technique's own choices by parameter name.
            context: The example input for a network, None for a plan.
        """
