"""Which choices of training a workload does not allow: found before a search, by one call of its network."""

from collections.abc import Mapping
from typing import Any

from runners.executors.model_limits import why_not_changed
from runners.workload import Workload
from runners.workload_loading.check_plan import why_no_method
from spaces.configuration import Scalar
from spaces.environment import Environment, ModelLimit
from spaces.space_document import find_technique, make_space

METHOD, ASSISTANT, WIDTH = "distillation_method", "distillation_assistant", "student_width"

PRETRAINED = (
    "the workload says pretrained: the weights that it starts from are the teacher's already; leave that out where "
    "they are to be trained on its data"
)


def find_training_limits(
    workload: Workload, environment: Environment, choices: Mapping[str, Any] | None = None
) -> tuple[ModelLimit, ...]:
    """The limits of distillation and transfer that ``workload`` has.

    They are the methods by which its network cannot be compared with another one of its kind, the widths of which there
    can be no assistant, and transfer where the weights that it starts from are the teacher's own.

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
        for method in _values(METHOD, wanted, environment)
        if (reason := why_no_method(workload, str(method)))
    ]
    if workload.pretrained:
        limits.append(ModelLimit({"transfer": True}, PRETRAINED))
    technique = find_technique(WIDTH)
    for width in _values(ASSISTANT, wanted, environment):
        if width and (reason := why_not_changed(workload, ((technique, {WIDTH: width}),))):
            limits.append(ModelLimit({ASSISTANT: width}, reason))
    return tuple(limits)


def _values(name: str, wanted: Mapping[str, Any], environment: Environment) -> tuple[Scalar, ...]:
    """The values that a search tries of a choice; empty where it does not name it."""
    if name not in wanted:
        return ()
    axes = make_space({name: wanted[name]}, environment).axes
    return next(axis.values for axis in axes if axis.name == name)
