"""What a search must know before its first candidate: the machine, the workload, and which techniques fail on it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from runners.backends import all_backends
from runners.executors.model_limits import find_model_limits
from runners.machine.device import describe
from runners.runner import WorkloadFacts
from runners.workload import SPLITS
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from runners.workload_loading.taken_names import refuse_taken_names
from runners.workload_loading.user_code import user_code
from spaces.environment import Environment


def inspect_on_this_machine(
    workload: Any, choices: Mapping[str, Any] | None = None
) -> tuple[Environment, WorkloadFacts]:
    """The description of this machine, and the facts of ``workload``, whose contract is checked.

    Args:
        workload: A reference, as `runners.workload_loading.reference.resolve` takes it.
        choices: ``{parameter: [values]}`` of the search; None looks at everything that is offered by default.

    Raises:
        RequestError: The workload cannot be found or breaks its contract.
    """
    refuse_taken_names(workload)
    resolved = resolve(workload)
    notes = check_contract(resolved)
    environment = describe(all_backends())
    with user_code("reading all of its data"):
        found = fingerprint(resolved, workload)
    example = resolved.example_inputs
    facts = WorkloadFacts(
        name=resolved.name,
        fingerprint=found,
        metric=resolved.quality.name,
        higher_is_better=resolved.higher_is_better,
        metric_unit=resolved.metric_unit,
        training=asdict(resolved.training),
        pretrained=resolved.pretrained,
        input_shape=example.shapes[0],
        inputs=dict(zip(example.names, example.shapes, strict=True)),
        examples={name: len(resolved.splits[name]) for name in SPLITS},
        notes=notes,
    )
    limits = find_model_limits(resolved, environment, choices)
    return replace(environment, model_limits=limits, own_loss=resolved.loss is not None), facts
