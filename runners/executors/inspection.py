"""What a search must know before its first candidate: the machine, the workload, and which techniques fail on it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from runners.backends import all_backends
from runners.executors.cluster.node_size import NodeSize
from runners.executors.format_limits import find_format_limits
from runners.executors.model_limits import find_model_limits
from runners.executors.runtime_limits import find_runtime_limits
from runners.executors.training_limits import find_training_limits, refuse_strategy
from runners.machine.device import describe
from runners.models.given_weights import comes_with_weights
from runners.quality.teacher_metric import judged_by_teacher
from runners.runner import WorkloadFacts
from runners.workload import Workload
from runners.workload_loading.check import check_contract
from runners.workload_loading.check_plan import examples_of_step
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.reference import resolve
from runners.workload_loading.taken_names import refuse_taken_names
from runners.workload_loading.user_code import user_code
from spaces.environment import Environment


def inspect_on_this_machine(
    workload: Any, choices: Mapping[str, Any] | None = None, allotted: NodeSize | None = None
) -> tuple[Environment, WorkloadFacts]:
    """The description of this machine, and the facts of ``workload``, whose contract is checked.

    Args:
        workload: A reference, as `runners.workload_loading.reference.resolve` takes it.
        choices: ``{parameter: [values]}`` of the search; None looks at everything that is offered by default.
        allotted: What stages may use of this machine; None is all of it.

    Raises:
        RequestError: The workload cannot be found or breaks its contract.
    """
    refuse_taken_names(workload)
    resolved = resolve(workload)
    notes = check_contract(resolved)
    environment = describe_allotted(allotted)
    with user_code("reading all of its data"):
        found = fingerprint(resolved, workload)
    with user_code("making its model"):
        start = _start_note(resolved, workload)
    example, metric = resolved.example_inputs, _judged(resolved).quality
    facts = WorkloadFacts(
        name=resolved.name,
        fingerprint=found,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        metric_unit=metric.unit,
        training=asdict(resolved.training),
        pretrained=resolved.pretrained,
        trains_in_levels=resolved.fit is None or resolved.fit_obeys_epochs,
        input_shape=example.shapes[0],
        inputs=dict(zip(example.names, example.shapes, strict=True)),
        examples={name: len(split) for name, split in resolved.splits.items()},
        notes=(start, *notes) if start else notes,
    )
    environment = replace(
        environment,
        training_epochs=resolved.training.epochs,
        learning_rate=resolved.training.learning_rate,
        training_batch=examples_of_step(resolved),
        own_fit=resolved.fit is not None,
        fit_takes_teacher=resolved.fit_takes_teacher,
        own_loss=resolved.loss is not None,
        cannot_train=resolved.cannot_train,
    )
    refuse_strategy(resolved, environment)
    limits = (
        *find_model_limits(resolved, environment, choices),
        *find_format_limits(resolved, choices),
        *find_runtime_limits(resolved, choices),
        *find_training_limits(resolved, environment, choices),
    )
    return replace(environment, model_limits=limits), facts


def describe_allotted(allotted: NodeSize | None) -> Environment:
    """The description of this machine, with no more cores and accelerators than stages are ``allotted`` of it."""
    environment = describe(all_backends())
    if allotted is None:
        return environment
    return replace(
        environment,
        cpu_cores=max(1, min(environment.cpu_cores, allotted.cpus)),
        accelerators=min(environment.accelerators, allotted.gpus or environment.accelerators),
    )


def _judged(workload: Workload) -> Workload:
    """The workload with the metric that judges: without labels it depends on the shape of the outputs."""
    if workload.labelled:
        return workload
    with torch.inference_mode():
        outputs = workload.network().eval()(*map(torch.from_numpy, workload.example_inputs.arrays))
    return judged_by_teacher(workload, outputs.shape)


def _start_note(workload: Workload, reference: Any) -> str:
    """From which weights the training of ``workload`` starts, as a sentence; empty where it starts afresh."""
    if workload.pretrained or workload.cannot_train:
        return ""
    if not isinstance(reference, Mapping):
        same = "the training starts from the weights that model() gives, which are the same at each call"
        return same if comes_with_weights(workload.model) else ""
    settings = read_settings(reference, Path.cwd())
    if not settings.weights:
        return ""
    named = settings.own_weights or f"{settings.family}'s weights {settings.weights}"
    return f"the training starts from {named}{', with a new head' if settings.new_head else ''}"
