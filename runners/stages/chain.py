"""From a configuration to its chain of stages, each named by a hash over everything that decides its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from runners.runner import StageTask, WorkloadFacts
from spaces.configuration import Configuration
from spaces.plans import LoweringPlan, ServingPlan, TrainingPlan
from spaces.search_space import SearchSpace
from spaces.technique import CHANGES_THE_MODEL, Stage

Plan = TypeVar("Plan", TrainingPlan, LoweringPlan, ServingPlan)

LIBRARIES = ("torch", "torchvision", "torch-pruning", "numpy", "onnx", "onnxruntime", "openvino", "nncf", "onnxscript")

STAGE_VERSIONS = {
    "teacher": 1,
    "transforming": 1,
    "training": 1,
    "quantising": 1,
    "lowering": 1,
    "measuring": 3,
    "comparing": 1,
    "calibrating": 1,
}
"""Raised whenever a stage's code gives another result for the same settings."""

SEARCHING_S = 1.2
"""At most this long is one candidate timed against the baseline during the search."""
JUDGING_S = 0.5
"""At most this long is a member of a front timed alone, in case it cannot be timed beside the others."""
COMPARING_S = 1.0
"""At most this long is each member of a front timed in each of the processes that have the last word."""
COMPARING_PROCESSES = 2
CALIBRATING_PROCESSES = 3


@dataclass(frozen=True)
class Chains:
    """Makes the chains of one study.

    Attributes:
        space: The techniques and the machine.
        facts: What is known of the workload.
        workload: Its reference.
        seed: The study's seed.
    """

    space: SearchSpace
    facts: WorkloadFacts
    workload: Any
    seed: int

    def chain(self, configuration: Configuration) -> tuple[StageTask, ...]:
        """The stages of ``configuration`` from the teacher to the measurement, each after its inputs."""
        links = _Links(self, configuration)
        teacher = parent = links.add("teacher", {"plan": self._teacher_plan(), "pretrained": self.facts.pretrained})
        for technique in self.space.techniques:
            settings = self.space.settings_of(technique, configuration)
            if technique.stage in CHANGES_THE_MODEL and settings:
                parent = links.add("transforming", {"technique": technique.name, **settings}, {"parent": parent})
        if parent != teacher:
            plan = self._planned(configuration, (Stage.TRAIN,), TrainingPlan(**self.facts.training))
            parent = links.add(
                "training", self._training(plan), {"parent": parent, "teacher": teacher}, workers=plan.workers
            )
        lowering = self._planned(configuration, (Stage.QUANTISE, Stage.LOWER), LoweringPlan())
        if lowering.precision == "int8":
            parent = links.add("quantising", {"precision": "int8"}, {"parent": parent})
        parent = links.add("lowering", asdict(lowering), {"parent": parent})
        links.add("measuring", self.measuring(configuration), {"parent": parent, "teacher": teacher}, alone=True)
        return tuple(links.tasks)

    def final(self, configuration: Configuration, trials: int, occasion: int = 0) -> StageTask:
        """The judgement of a front member on all three splits, for the last word.

        Args:
            configuration: A candidate whose chain is done.
            trials: Number of trials that the study had.
            occasion: How often its front was measured before; both together keep an old figure from being a new one.
        """
        searched = self.chain(configuration)[-1]
        links = _Links(self, configuration)
        splits = ["train", "validation", "test"]
        last = {"splits": splits, "budget_s": JUDGING_S, "trials": trials, "occasion": occasion}
        links.add("measuring", {**searched.settings, **last}, searched.inputs, alone=True)
        return links.tasks[0]

    def comparing(self, members: Mapping[int, Configuration], trials: int, occasion: int = 0) -> StageTask:
        """The timing of a front's ``members``, by trial number, beside each other and the baseline.

        ``trials`` and ``occasion`` are those of `final`.
        """
        lowered = {number: self.chain(configuration)[-2] for number, configuration in members.items()}
        links = _Links(self, self.space.baseline())
        settings = {
            "members": {str(n): self.measuring(c)["serving"]["threads"] for n, c in members.items()},
            "baseline_threads": ServingPlan().threads,
            "processes": COMPARING_PROCESSES,
            "budget_s": COMPARING_S,
            "device": self.space.environment.device,
            "trials": trials,
            "occasion": occasion,
        }
        inputs = {f"trial {number}": task.key for number, task in lowered.items()}
        links.add("comparing", settings, {**inputs, "teacher": self._teacher_key()}, alone=True)
        return links.tasks[0]

    def calibrating(self, study: str) -> StageTask:
        """The timing of the baseline against itself, once for each study and machine."""
        links = _Links(self, self.space.baseline())
        settings = {
            "baseline_threads": ServingPlan().threads,
            "processes": CALIBRATING_PROCESSES,
            "budget_s": SEARCHING_S,
            "device": self.space.environment.device,
            "study": study,
        }
        links.add("calibrating", settings, {"teacher": self._teacher_key()}, alone=True)
        return links.tasks[0]

    def measuring(self, configuration: Configuration) -> dict[str, Any]:
        """The settings of the measurement, which belong to the machine as much as to the candidate."""
        return {
            "serving": asdict(self._planned(configuration, (Stage.SERVE,), ServingPlan())),
            "baseline_threads": ServingPlan().threads,
            "splits": ["validation"],
            "budget_s": SEARCHING_S,
            "device": self.space.environment.device,
        }

    def _planned(self, configuration: Configuration, stages: tuple[Stage, ...], plan: Plan) -> Plan:
        for technique in self.space.techniques:
            settings = self.space.settings_of(technique, configuration)
            if technique.stage in stages and settings:
                changed = technique.apply(plan, settings, None)
                assert changed != plan, f"{technique.name} changed nothing with {settings}"
                plan = changed
        return plan

    def _teacher_key(self) -> str:
        return self.chain(self.space.baseline())[0].key

    def _teacher_plan(self) -> dict[str, Any]:
        return {} if self.facts.pretrained else self._training(TrainingPlan(**self.facts.training))

    def _training(self, plan: TrainingPlan) -> dict[str, Any]:
        flags = self.space.environment.cpu_flags
        return {**asdict(plan), "autocast": "bf16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "fp32"}


class _Links:
    """A chain under construction."""

    def __init__(self, chains: Chains, configuration: Configuration) -> None:
        self.chains = chains
        self.configuration = configuration
        self.tasks: list[StageTask] = []

    def add(
        self,
        stage: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str] | None = None,
        *,
        alone: bool = False,
        workers: int = 1,
    ) -> str:
        """Append a stage and return its key."""
        task = StageTask(
            stage=stage,
            key="",
            settings=dict(settings),
            inputs=dict(inputs or {}),
            workload=self.chains.workload,
            seed=self.chains.seed,
            cpus=self._cpus(stage, alone, workers),
            gpus=self._gpus(stage, alone, workers),
            exclusive=alone,
            configuration=self.configuration.canonical(),
        )
        task = replace(task, key=stage_key(task, self.chains.facts.fingerprint))
        self.tasks.append(task)
        return task.key

    def _cpus(self, stage: str, alone: bool, workers: int) -> int:
        cores = self.chains.space.environment.cpu_cores
        if alone or stage == "teacher":
            return cores
        return min(cores, workers * cores_per_worker(cores)) if stage == "training" else 1

    def _gpus(self, stage: str, alone: bool, workers: int) -> int:
        if not self.chains.space.environment.accelerators:
            return 0
        return workers if stage in ("teacher", "training") else int(alone)


def cores_per_worker(cores: int) -> int:
    """Cores for one training process: small networks gain little from more than a few."""
    return max(1, cores // 4)


def stage_key(task: StageTask, fingerprint: str) -> str:
    """SHA-256 over the canonical JSON of all that decides the result of ``task``; its own ``key`` is not read."""
    material = {
        "stage": task.stage,
        "version": STAGE_VERSIONS[task.stage],
        "settings": task.settings,
        "inputs": task.inputs,
        "workload": fingerprint,
        "seed": task.seed,
        "libraries": library_versions(),
    }
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """The installed version of every library on which results depend; an absent one is absent."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
