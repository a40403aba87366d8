"""The contract of a technique: its parameters, when a value is unsupported and why, and what it changes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from spaces.configuration import Scalar
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.steps import Change, Step


class Stage(IntEnum):
    """The stages of building a candidate, in their order; each technique belongs to one.

    The stage decides what `Technique.apply` takes and returns: STUDENT, PRUNE and COMPRESS a ``torch.nn.Module``; TRAIN
    a `TrainingPlan`; QUANTISE, LOWER and OPTIONS a `LoweringPlan`; SERVE a `ServingPlan`. COMPRESS changes the values
    of trained weights. A technique of a still later stage that changes the network instead says so with
    `Technique.changes_network`. QUANTISE chooses the number format, LOWER the runtime, and OPTIONS what is set of
    either once both are known.
    """

    STUDENT = 1
    PRUNE = 2
    TRAIN = 3
    COMPRESS = 4
    QUANTISE = 5
    LOWER = 6
    OPTIONS = 7
    SERVE = 8


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
        only_where_named: Whether it is no part of configurations in a space that does not name it.
    """

    name: str
    choices: tuple[Scalar, ...]
    neutral: Scalar
    allowed: str
    label: str = ""
    affects: tuple[str, ...] = ()
    only_where_named: bool = False


@dataclass(frozen=True)
class Earlier:
    """The choices drawn before this one.

    Attributes:
        choices: Values by parameter name.
        model_changed: Whether an earlier technique changes the network, so that it must be trained.
        changed_in: The stages of the earlier techniques that change it.
        keeps_weights: Whether the changed network has weights of the network as given.
        skips_layers: Whether the changed network leaves layers out for some inputs.
    """

    choices: Mapping[str, Scalar]
    model_changed: bool
    changed_in: frozenset[Stage] = frozenset()
    keeps_weights: bool = True
    skips_layers: bool = False


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
    skips_layers: ClassVar[bool] = False
    """Whether the network that it gives leaves layers out for some inputs, as with an early exit.

    Such a candidate is timed over inputs of the validation split, and in runtimes that can leave layers out.
    """
    adds_layers: ClassVar[bool] = False
    """Whether it adds layers with new weights that its own steps train: then no block of the network is frozen."""
    keeps_weights: ClassVar[bool] = True
    """Whether a network that it changes keeps weights that it had; a student that is trained from new ones does not."""
    replaces_network: ClassVar[bool] = False
    """Whether another network takes the place of the one it is given: what failed on that one may do on the new one."""
    quantises: ClassVar[bool] = False
    """Whether the network that it gives holds its quantisers, so that it is not quantised after its training."""
    packs: ClassVar[bool] = False
    """Whether its artifact is stored in a smaller file than the runtime reads, see `runners.stages.packing`."""

    @property
    def changes_network(self) -> bool:
        """Whether `apply` takes a network; one that is changed is trained, before or between the changes."""
        return self.stage < Stage.TRAIN or self.stage is Stage.COMPRESS

    def choices(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """The values offered by default in this environment."""
        return parameter.choices

    def every(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        """All values, those too that are offered only where a space names them; by default those of `choices`."""
        return self.choices(parameter, environment)

    def neutral(self, parameter: Parameter, environment: Environment) -> Scalar:
        """The value that does not change the teacher in this environment."""
        return parameter.neutral

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        """Whether ``value`` is allowed for ``parameter`` on some machine."""
        return value in parameter.choices

    def names(self, parameter: Parameter) -> tuple[str, ...]:
        """The names among which the nearest to one that is not accepted is looked for, in error messages."""
        return tuple(value for value in parameter.choices if isinstance(value, str))

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

    def excluded(self, parameter: Parameter, value: Scalar, network: Any, example: Sequence[Any]) -> str | None:
        """Why ``network`` cannot take ``value``, whatever else is chosen, or None.

        It is for what the layers of a network show. What is not excluded is tried before a search.

        Args:
            parameter: One of this technique's own.
            value: Not the neutral one.
            network: In eval mode; it must not be changed.
            example: A tensor with one example for each input of the network.
        """
        return None

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        """The steps by which it changes a network, in their order; by default one change with these settings.

        Each step is a stage of its own, whose result is kept: candidates that begin with the same steps share them. A
        technique that goes back and forth between changing and training names several. Steps that train are left out
        where the network is only timed.

        Args:
            settings: This technique's own choices by parameter name, not all of them neutral.
        """
        return (Change(settings),)

    def layers_depend_on_weights(self, settings: Mapping[str, Scalar]) -> bool:
        """Whether the weights decide how many layers, or how wide ones, a change with these ``settings`` leaves.

        Where they do, and the network is trained before the change, candidates are not timed before they are trained.
        """
        return False

    def rebuild(self, network: Any, record: Mapping[str, Any]) -> Any:
        """The network with the layers that `apply` has put there; the values of its tensors are set afterwards.

        It is called where `apply` filled the record of its context, each time that the network is read from a file.

        Args:
            network: What `apply` was given, or one with the same layers; it may be changed in place.
            record: What `apply` wrote into `ModelContext.record`.
        """
        raise NotImplementedError(f"{self.name} records what it did, and does not say how to do it again")

    def exported(self, network: Any) -> Any:
        """The network in the form in which it is written as ONNX; by default as it is.

        Args:
            network: What `rebuild` made, with its values; it may be changed in place.
        """
        return network

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
