"""What a search must know before its first candidate: the machine, the workload, and which techniques fail on it."""

from dataclasses import asdict, replace
from typing import Any

from runners.backends import all_backends
from runners.machine.device import describe
from runners.runner import WorkloadFacts
from runners.workload import SPLITS, Workload
from runners.workload_loading.check import check_contract
from runners.workload_loading.fingerprint import fingerprint
from runners.workload_loading.reference import resolve
from spaces.environment import Environment
from spaces.errors import in_one_line
from spaces.space_document import all_techniques
from spaces.technique import CHANGES_THE_MODEL, ModelContext, Technique


def inspect_on_this_machine(workload: Any) -> tuple[Environment, WorkloadFacts]:
    """The description of this machine, and the facts of ``workload``, whose contract is checked.

    Args:
        workload: A reference, as `runners.workload_loading.reference.resolve` takes it.

    Raises:
        RequestError: The workload cannot be found or breaks its contract.
    """
    resolved = resolve(workload)
    check_contract(resolved)
    environment = describe(all_backends())
    facts = WorkloadFacts(
        name=resolved.name,
        fingerprint=fingerprint(resolved, workload),
        metric=resolved.metric_name,
        training=asdict(resolved.training),
        pretrained=resolved.pretrained,
        input_shape=resolved.example().shape[1:],
        examples={name: len(resolved.splits[name]) for name in SPLITS},
    )
    return replace(environment, model_limits=_model_limits(resolved, environment)), facts


def _model_limits(workload: Workload, environment: Environment) -> dict[str, str]:
    """Why each technique that fails on this network does, by its name; each is tried with a moderate value."""
    tried = {
        technique.name: _trial_run(technique, workload)
        for technique in all_techniques()
        if technique.stage in CHANGES_THE_MODEL and not set(technique.needs) & set(environment.missing)
    }
    return {name: reason for name, reason in tried.items() if reason}


def _trial_run(technique: Technique, workload: Workload) -> str | None:
    import torch

    example = torch.from_numpy(workload.example())
    parameter = technique.parameters[0]
    moderate = [value for value in parameter.choices if value != parameter.neutral]
    network = workload.model().eval()
    try:
        with torch.no_grad():
            shape = network(example).shape
            changed = technique.apply(network, {parameter.name: moderate[len(moderate) // 2]}, ModelContext(example, 0))
            after = changed.eval()(example).shape
    except Exception as error:
        return f"it fails on this network ({in_one_line(error, limit=200)})"
    return None if after == shape else f"it changes this network's output from {tuple(shape)} to {tuple(after)}"
