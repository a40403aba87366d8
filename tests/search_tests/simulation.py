"""A search on a table whose front is known: what the driver's tests run on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from runners.chains.chain import Chains
from runners.executors.simulated import SimulatedRunner
from runners.measuring.measurement import Measurement
from runners.runner import StageTask, WorkloadFacts
from search.driver.baseline import time_baseline
from search.driver.driver import Driver
from search.driver.search_context import SearchContext
from search.objectives.constraint import Constraint
from search.objectives.objective import Objective, find_objectives
from search.objectives.trial_targets import TrialTargets
from search.samplers.distinct_sampler import DistinctSampler
from search.samplers.ehvi_sampler import EHVISampler
from search.samplers.factory import make_sampler
from search.samplers.starting_points import starting_points
from search.study.storage import open_storage
from search.study.study import StudySettings, TrialRecord, make_study, records
from spaces.configuration import Configuration
from spaces.environment import BackendFacts, Environment
from spaces.search_space import SearchSpace
from spaces.space_document import make_space

MACHINE = Environment(
    device="a table",
    cpu_cores=2,
    cpu_flags=("avx512_bf16",),
    backends={
        "eager": BackendFacts(("fp32", "bf16")),
        "onnxruntime": BackendFacts(("fp32", "int8")),
        "openvino": BackendFacts(("fp32", "bf16", "int8")),
    },
)
FACTS = WorkloadFacts("table", "f" * 64)
CHOICES = {
    "student_width": [1.0, 0.5, 0.25],
    "channel_pruning": [0.0, 0.5],
    "numeric_precision": "all",
    "runtime": "all",
}
OBJECTIVES = find_objectives(["accuracy", "speedup"])


def table(configuration: Configuration) -> Mapping[str, Any]:
    """Faster with every choice that is not the teacher's, less accurate with those that remove weights."""
    width = float(configuration["student_width"]) * (1 - float(configuration["channel_pruning"]))
    precision = {"fp32": 1.0, "bf16": 1.5, "int8": 3.0}[str(configuration["numeric_precision"])]
    runtime = {"eager": 1.0, "onnxruntime": 2.0, "openvino": 2.5}[str(configuration["runtime"])]
    speedup = precision * runtime / width**0.7
    accuracy = 0.98 - 0.02 * (1 / width - 1) ** 0.8 / 3 - (0.002 if precision == 3.0 else 0)
    return measurement(accuracy, speedup)


def measurement(accuracy: float, speedup: float, **figures: Any) -> dict[str, Any]:
    """A whole measurement around two figures."""
    return Measurement(
        **{
            "accuracy": accuracy,
            "accuracy_ci95": (accuracy - 0.01, min(1.0, accuracy + 0.01)),
            "speedup": speedup,
            "speedup_ci95": (speedup * 0.98, speedup * 1.02),
            "latency_p50_ms": 2.0 / speedup,
            "latency_p90_ms": 2.2 / speedup,
            "throughput_per_s": 500 * speedup,
            "load_ms": 10.0,
            "size_mib": 1.0,
            "macs": 1000,
            "parameters": 100,
            "peak_memory_mib": 50.0,
            "train_seconds": 0.0,
            **figures,
        }
    ).to_json()


class Log:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.ended: list[TrialRecord] = []
        self.volumes: list[float] = []
        self.notes: list[str] = []
        self.stages: list[tuple[int | None, str]] = []

    def stage_started(self, trial: int | None, stage: str) -> None:
        self.stages.append((trial, stage))

    def stage_ended(self, trial: int | None, stage: str, seconds: float, from_store: bool) -> None:
        pass

    def trial_ended(self, trial: TrialRecord, front: Sequence[TrialRecord], hypervolume: float, seconds: float) -> None:
        self.ended.append(trial)
        self.volumes.append(hypervolume)

    def note(self, text: str) -> None:
        self.notes.append(text)


def make_chains(choices: Mapping[str, object] | None = None) -> Chains:
    """Chains over the table's space, or another."""
    return Chains(make_space(choices or CHOICES, MACHINE), FACTS, "table", 0)


def make_runner(workers: int = 1, of: Any = table, seconds: Any = lambda task: 1.0) -> SimulatedRunner:
    """The table as a runner."""
    return SimulatedRunner(MACHINE, FACTS, of, seconds=seconds, workers=workers)


def open_table_study(folder: Path | None, space: SearchSpace, seed: int = 0, inner: Any = None) -> optuna.Study:
    """The study called ``table`` in ``folder``, new or as it was left, or in memory where that is None."""
    settings = StudySettings("table", CHOICES, ("accuracy", "speedup"), (), seed, MACHINE.device, "f" * 64)
    storage = open_storage(f"sqlite:///{folder}/studies.db") if folder else optuna.storages.InMemoryStorage()
    study = make_study(storage, "table", OBJECTIVES, settings, MACHINE, FACTS)
    if inner is not None:
        tried = {t.configuration.canonical() for t in records(study) if t.configuration}
        study.sampler = DistinctSampler(
            inner, space, tried, starting_points(space)[:1], starting_points(space)[1:], seed
        )
    return study


def drive(
    study: optuna.Study,
    runner: SimulatedRunner,
    chains: Chains,
    trials: int,
    constraints: Sequence[Constraint] = (),
    log: Log | None = None,
    objectives: Sequence[Objective] = OBJECTIVES,
    **times: float | None,
) -> Log:
    """Run a driver to its end and give back what it told; the sampler is the default one unless the study has one."""
    log = log or Log()
    targets = TrialTargets(objectives, constraints)
    search = SearchContext(study, runner, chains, objectives, constraints, log)
    time_baseline(search, (1, 2))
    if not isinstance(study.sampler, DistinctSampler) or isinstance(study.sampler._inner, EHVISampler):
        study.sampler = make_sampler("gain", study, chains.space, targets, 0)
    Driver(search, targets, trials, **times).run()
    return log


def training_only(task: StageTask) -> float:
    """Seconds of a stage where training is all that costs."""
    return 10.0 if task.stage == "training" else 0.1


class Recording(SimulatedRunner):
    """Remembers what it was sent."""

    def __init__(self, *about: Any, **settings: Any) -> None:
        super().__init__(*about, **settings)
        self.submitted: list[StageTask] = []

    def submit(self, task: StageTask) -> None:
        self.submitted.append(task)
        super().submit(task)

    def trained(self) -> list[Configuration]:
        """The candidates for which a training was sent."""
        return [Configuration.from_json(task.configuration) for task in self.submitted if task.stage == "training"]
