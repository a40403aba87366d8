"""Channel pruning: the least important channels are removed, at once or in steps, and the rest is fine-tuned."""

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.configuration import Scalar, is_number
from spaces.environment import Environment
from spaces.model_context import ModelContext
from spaces.slimming.criteria import CRITERIA, L1, LAMP
from spaces.slimming.widths import ISOMORPHIC, SCOPES, SENSITIVITY, UNIFORM
from spaces.steps import Change, Step, Train
from spaces.technique import Earlier, Parameter, Stage, Technique

SHARE, SCOPE, CRITERION, MULTIPLE = "channel_pruning", "pruning_scope", "pruning_criterion", "width_multiple"
STEPS, EPOCHS = "pruning_steps", "pruning_epochs"
AS_ALWAYS = 0
"""The value of ``width_multiple`` that rounds to 4 channels, or 8 from 64 on."""
MULTIPLES: tuple[Scalar, ...] = (AS_ALWAYS, 1, 4, 8, 16, 32)
WHOLE_FROM_ONE = "a whole number from 1"


def _where_named(name: str, choices: tuple[Scalar, ...], allowed: str, label: str) -> Parameter:
    return Parameter(name, choices, choices[0], allowed, label, only_where_named=True)


class ChannelPruning(Technique):
    """Structured pruning in groups of coupled layers, by default by the L1 norm of weights (Li et al., 1608.08710).

    Whole channels are removed, so every runtime gets faster without sparse kernels. Groups of coupled layers are found
    in the dependency graph (Fang et al., arXiv 2301.12900).
    """

    name = "channel_pruning"
    stage = Stage.PRUNE
    needs = ("torch_pruning",)
    parameters = (
        Parameter(SHARE, (0.0, 0.25, 0.5, 0.75), 0.0, "the share of channels removed, from 0 to below 1", "pruned={}"),
        _where_named(SCOPE, SCOPES, f"one of {', '.join(SCOPES)}", "scope={}"),
        _where_named(CRITERION, CRITERIA, f"one of {', '.join(CRITERIA)}", "criterion={}"),
        _where_named(MULTIPLE, MULTIPLES[:2], "a whole number from 0", "multiple={}"),
        _where_named(STEPS, (1, 2, 3), WHOLE_FROM_ONE, "steps={}"),
        _where_named(EPOCHS, (1, 2, 4), WHOLE_FROM_ONE, "between={}"),
    )

    def accepts(self, parameter: Parameter, value: Scalar) -> bool:
        if parameter.name in (SCOPE, CRITERION):
            return isinstance(value, str) and value in parameter.choices
        if not is_number(value):
            return False
        if parameter.name == SHARE:
            return 0 <= value < 1
        return isinstance(value, int) and value >= (0 if parameter.name == MULTIPLE else 1)

    def every(self, parameter: Parameter, environment: Environment) -> tuple[Scalar, ...]:
        return MULTIPLES if parameter.name == MULTIPLE else self.choices(parameter, environment)

    def relevant(self, parameter: Parameter, earlier: Earlier, environment: Environment) -> bool:
        if parameter.name == SHARE:
            return True
        if parameter.name == EPOCHS and earlier.choices.get(STEPS, 1) == 1:
            return False
        return earlier.choices.get(SHARE, 0.0) != 0.0

    def unsupported(
        self, parameter: Parameter, value: Scalar, earlier: Earlier, environment: Environment
    ) -> str | None:
        if (
            parameter.name == CRITERION
            and value == LAMP
            and earlier.choices.get(SCOPE, UNIFORM) in (UNIFORM, SENSITIVITY)
        ):
            return f"inside one layer lamp ranks channels as l2 does; it needs the scope global or {ISOMORPHIC}"
        return None

    def excluded(self, parameter: Parameter, value: Scalar, network: Any, example: Sequence[Any]) -> str | None:
        from spaces.slimming.criteria import why_undefined

        return why_undefined(str(value), network) if parameter.name == CRITERION else None

    def steps(self, settings: Mapping[str, Scalar]) -> tuple[Step, ...]:
        """Each step removes the same share of the channels that are left, and is the same step.

        So candidates that remove the same share a step share their beginning, such as 0.5 in one step, 0.75 in two and
        0.875 in three. As each step rounds widths, a layer may end one multiple off what one step would give.
        """
        number, epochs = int(settings.get(STEPS, 1)), int(settings.get(EPOCHS, 1))
        neutral = {parameter.name: parameter.neutral for parameter in self.parameters}
        how = {n: v for n, v in settings.items() if n not in (SHARE, STEPS, EPOCHS) and v != neutral[n]}
        share = round(1 - (1 - float(settings[SHARE])) ** (1 / number), 6)
        change = Change({SHARE: share, **how})
        return (*(change, Train(epochs)) * (number - 1), change)

    def layers_depend_on_weights(self, settings: Mapping[str, Scalar]) -> bool:
        return settings.get(SCOPE, UNIFORM) != UNIFORM

    def apply(self, subject: Any, settings: Mapping[str, Scalar], context: ModelContext | None) -> Any:
        import torch

        from spaces.slimming.slim import slim

        assert context is not None
        torch.manual_seed(context.seed)
        slim(
            subject,
            context.example,
            keep=1.0 - float(settings[SHARE]),
            criterion=str(settings.get(CRITERION, L1)),
            scope=str(settings.get(SCOPE, UNIFORM)),
            multiple=int(settings.get(MULTIPLE, AS_ALWAYS)) or None,
            context=context,
        )
        return subject


TECHNIQUE = ChannelPruning()
