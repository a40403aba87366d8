"""Which choices of training a workload does not allow: found before a search, by one call of its network."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from runners.executors.model_limits import why_not_changed
from runners.training.strategies import find_strategy
from runners.workload import Workload
from runners.workload_loading.check_plan import why_no_method
from spaces.configuration import Scalar
from spaces.environment import Environment, ModelLimit
from spaces.errors import RequestError
from spaces.space_document import find_technique, make_space

METHOD, ASSISTANT, WIDTH = "distillation_method", "distillation_assistant", "student_width"
STRATEGY, WORKERS = "training_strategy", "training_workers"

PRETRAINED = (
    "the weights that the workload starts from are those of its model, which is not trained; say new_head in a study "
    "file, or leave out pretrained in Python, where they are to be trained on its data"
)


def find_training_limits(
    workload: Workload, environment: Environment, choices: Mapping[str, Any] | None = None
) -> tuple[ModelLimit, ...]:
    """The limits of distillation, transfer and strategies that ``workload`` has.

    They are the methods by which its network cannot be compared with another one of its kind, the widths of which there
    can be no assistant, transfer where the weights that it starts from are the teacher's own, and the strategies by
    which so many workers cannot share its training.

    Args:
        workload: Its network need not be trained.
        environment: The machine.
        choices: ``{parameter: [values]}`` as `make_space` takes it; None looks at all but assistants.

    Raises:
        RequestError: A value of these choices is not allowed.
    """
    if workload.cannot_train:
        return ()
    wanted = {METHOD: "all"} if choices is None else choices
    limits = [
        ModelLimit({METHOD: method}, reason)
        for method in values_of(METHOD, wanted, environment)
        if (reason := why_no_method(workload, str(method)))
    ]
    if workload.pretrained:
        limits.append(ModelLimit({"transfer": True}, PRETRAINED))
    limits += _strategy_limits(workload, environment, wanted)
    technique = find_technique(WIDTH)
    for width in values_of(ASSISTANT, wanted, environment):
        if width and (reason := why_not_changed(workload, ((technique, {WIDTH: width}),))):
            limits.append(ModelLimit({ASSISTANT: width}, reason))
    return tuple(limits)


def refuse_strategy(workload: Workload, environment: Environment) -> None:
    """Raise `RequestError` where the workload's own plan asks for what the machine or the network cannot do."""
    plan = workload.training
    if workload.fit is not None or workload.cannot_train or plan.workers == 1:
        return
    if plan.workers > environment.cpu_cores:
        raise RequestError(
            f"training: workers is {plan.workers}, which need a core each, and the machine that trains has "
            f"{environment.cpu_cores}; give {environment.cpu_cores} workers at most"
        )
    reason = find_strategy(plan.strategy).unsupported(workload, workload.network(), plan, plan.workers)
    if reason:
        raise RequestError(f"training: strategy is {plan.strategy!r} with {plan.workers} workers, but {reason}")


def _strategy_limits(workload: Workload, environment: Environment, wanted: Mapping[str, Any]) -> Iterator[ModelLimit]:
    for name in values_of(STRATEGY, wanted, environment):
        for workers in values_of(WORKERS, wanted, environment):
            plan = replace(workload.training, strategy=str(name), workers=int(workers))
            strategy = find_strategy(plan.strategy)
            if plan.workers > 1 and (reason := strategy.unsupported(workload, workload.network(), plan, plan.workers)):
                yield ModelLimit({STRATEGY: name, WORKERS: workers}, reason)


def values_of(name: str, wanted: Mapping[str, Any], environment: Environment) -> tuple[Scalar, ...]:
    """The values that a search tries of a choice; empty where it does not name it."""
    if name not in wanted:
        return ()
    axes = make_space({name: wanted[name]}, environment).axes
    return next(axis.values for axis in axes if axis.name == name)
