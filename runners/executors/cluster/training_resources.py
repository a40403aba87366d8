"""What trainings ask of the nodes of Ray where a person says so: shares of accelerators, memory, a type."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runners.executors.cluster.node_size import NodeSize, in_words
from runners.executors.training_limits import WORKERS, values_of
from runners.machine.resources import STAGES_THAT_TRAIN
from runners.runner import StageTask
from spaces.environment import Environment, ModelLimit
from spaces.errors import RequestError

FORM = "give gpus=NUMBER, memory_gib=NUMBER and accelerator_type=NAME, or some of them, with commas between"


@dataclass(frozen=True)
class TrainingResources:
    """What each worker that trains asks for.

    Attributes:
        gpus: Accelerators: a whole number, or below 1 a share, so that several trainings run on one; None is one where
            trainings use accelerators.
        memory_gib: Memory in GiB; 0 asks for none.
        accelerator_type: What Ray calls the accelerators of its node, such as ``A10G``; empty is any.
    """

    gpus: float | None = None
    memory_gib: float = 0.0
    accelerator_type: str = ""

    def added_to(self, task: StageTask) -> StageTask:
        """``task`` with what it asks for, where it trains."""
        if task.stage not in STAGES_THAT_TRAIN:
            return task
        workers = int(task.settings.get("workers", 1))
        gpus = task.gpus if self.gpus is None else self.gpus * workers
        return replace(task, gpus=gpus, memory_gib=self.memory_gib * workers, accelerator_type=self.accelerator_type)

    def limited(
        self, environment: Environment, nodes: Sequence[NodeSize], choices: Mapping[str, Any] | None = None
    ) -> Environment:
        """``environment`` without the numbers of training workers that no node can hold, each with the reason.

        Args:
            environment: The machine that measures.
            nodes: The nodes of the cluster.
            choices: ``{parameter: [values]}`` of the search; None looks at all numbers that are offered.

        Raises:
            RequestError: No node can hold one worker, or accelerators are asked for where none is used.
        """
        if self == TrainingResources():
            return environment
        if self.gpus and not environment.accelerators:
            raise RequestError(
                "--train-with: gpus is given, but the machine that measures has no accelerator, and trainings run on "
                "the same kind of device; leave gpus out"
            )
        if reason := self._why_not(1, environment, nodes):
            raise RequestError(f"--train-with: {reason}; ask for less, or start such a node")
        wanted = {WORKERS: "all"} if choices is None else choices
        numbers = (int(value) for value in values_of(WORKERS, wanted, environment))
        reasons = {number: self._why_not(number, environment, nodes) for number in numbers}
        limits = (ModelLimit({WORKERS: number}, reason) for number, reason in reasons.items() if reason)
        return replace(environment, model_limits=(*environment.model_limits, *limits))

    def _why_not(self, workers: int, environment: Environment, nodes: Sequence[NodeSize]) -> str | None:
        plain = StageTask("training", "", {"workers": workers}, {}, "", 0, cpus=workers)
        asked = self.added_to(replace(plain, gpus=workers if environment.accelerators else 0))
        if any(node.holds(asked) for node in nodes):
            return None
        largest = f"the most memory of a node is {max((node.memory_gib for node in nodes), default=0):.3g} GiB"
        types = ", ".join(sorted({node.accelerator_type for node in nodes if node.accelerator_type})) or "none"
        of = f"; types of accelerators there are {types}" if self.accelerator_type else ""
        number = "a training worker asks" if workers == 1 else f"{workers} training workers ask"
        return f"{number} for {in_words(asked)}, and no node of Ray has that ({largest}{of})"


def read_training_resources(given: str | None) -> TrainingResources:
    """What ``given`` asks for, such as ``gpus=0.5,memory_gib=8``; nothing where it is None.

    Raises:
        RequestError: It is not of that form, or a number is not allowed.
    """
    if given is None:
        return TrainingResources()
    pairs = [pair.partition("=")[::2] for pair in given.split(",")]
    found = {name.strip(): value.strip() for name, value in pairs}
    if (
        len(found) != len(pairs)
        or not set(found) <= set(TrainingResources.__dataclass_fields__)
        or "" in found.values()
    ):
        raise RequestError(f"--train-with: {given!r}: {FORM}")
    resources = TrainingResources(
        gpus=_number("gpus", found["gpus"]) if "gpus" in found else None,
        memory_gib=_number("memory_gib", found["memory_gib"]) if "memory_gib" in found else 0.0,
        accelerator_type=found.get("accelerator_type", ""),
    )
    if resources.gpus is not None and resources.gpus > 1 and not resources.gpus.is_integer():
        raise RequestError(f"--train-with: gpus is {resources.gpus:g}; give a whole number, or a share below 1")
    return resources


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise RequestError(f"--train-with: {name} is {text!r}; give a number above 0")
    return number
