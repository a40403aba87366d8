"""Studies of thousands of trials: a space that is large enough, and a machine that answers at once."""

import json
import random
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, create_trial

from runners.chains.chain import Chains
from runners.measuring.measurement import Measurement
from runners.runner import Runner, WorkloadFacts
from search.driver.driver import Driver
from search.driver.observer import Observer
from search.driver.search_context import SearchContext
from search.objectives.objective import find_objectives
from search.objectives.trial_targets import TrialTargets
from search.request.locations import Home
from search.request.study_request import StudyRequest
from search.samplers.factory import make_sampler
from search.samplers.recorded_draws import distributions_of
from search.study.storage import open_storage
from search.study.study import StudySettings, make_study
from spaces.configuration import Configuration
from spaces.environment import BackendFacts, Environment
from spaces.space_document import make_space

NAME = "large"
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
CHOICES: dict[str, Any] = {
    "student_width": [1.0, *(round(0.95 - 0.03 * step, 2) for step in range(30))],
    "channel_pruning": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
    "distillation_weight": [0.0, 0.3, 0.5, 0.7, 0.9],
    "distillation_temperature": [1.0, 2.0, 4.0, 8.0],
    "numeric_precision": "all",
    "runtime": "all",
}
OBJECTIVES = find_objectives(["accuracy", "speedup"])


def make_chains() -> Chains:
    """The stages of candidates of the space."""
    return Chains(make_space(CHOICES, MACHINE), FACTS, "table", 0)


def table(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Figures that depend on every choice, with some noise that a configuration always has."""
    text = json.dumps(dict(configuration), sort_keys=True)
    noise = random.Random(text)
    width = float(configuration["student_width"]) * (1 - float(configuration["channel_pruning"]))
    precision = {"fp32": 1.0, "bf16": 1.5, "int8": 3.0}[str(configuration["numeric_precision"])]
    runtime = {"eager": 1.0, "torchscript": 1.4, "onnxruntime": 2.0, "openvino": 2.5}[str(configuration["runtime"])]
    taught = float(configuration.get("distillation_weight", 0.0))
    speedup = precision * runtime / width**0.7 * noise.uniform(0.95, 1.05)
    accuracy = 0.95 - 0.02 * (1 / width - 1) ** 0.8 / 3 - (0.002 if precision == 3.0 else 0) + 0.004 * taught
    accuracy = min(0.99, max(0.1, accuracy + noise.uniform(-0.003, 0.003)))
    return Measurement(
        accuracy=accuracy,
        accuracy_ci95=(accuracy - 0.008, accuracy + 0.008),
        speedup=speedup,
        speedup_ci95=(speedup * 0.985, speedup * 1.015),
        latency_p50_ms=2.0 / speedup,
        latency_p90_ms=2.2 / speedup,
        throughput_per_s=500 * speedup,
        load_ms=10.0,
        size_mib=40 * width**2 / precision,
        macs=int(1e9 * width**2),
        parameters=int(1e7 * width**2),
        peak_memory_mib=50.0,
        train_seconds=20.0,
    ).to_json()


def open_study(home: Home) -> optuna.Study:
    """The study in ``home`` as a search opens it, new or as it was left."""
    settings = StudySettings(
        "table", CHOICES, tuple(o.name for o in OBJECTIVES), (), 0, MACHINE.device, FACTS.fingerprint
    )
    return make_study(open_storage(home.storage), NAME, OBJECTIVES, settings, MACHINE, FACTS)


def fill(home: Home, chains: Chains, trials: int) -> None:
    """Add what a driver leaves of ``trials`` trials: the baseline, then distinct ones in random order."""
    study = open_study(home)
    study.set_user_attr("timing_resolution", {"resolution": 0.01, "unstable": ""})
    everything = list(islice(chains.space.configurations(), 200_000))
    assert len(everything) > 20_000, len(everything)
    baseline = chains.space.baseline()
    others = [one for one in random.Random(1).sample(everything, trials + 1) if one != baseline]
    for configuration in [baseline, *others][:trials]:
        study.add_trial(_complete_trial(chains, configuration))


def _complete_trial(chains: Chains, configuration: Configuration) -> FrozenTrial:
    """A trial as a driver leaves it."""
    figures = table(configuration)
    return create_trial(
        params=chains.space.trial_parameters(configuration),
        distributions=distributions_of(chains.space, configuration),
        values=[figures[objective.name] for objective in OBJECTIVES],
        user_attrs={
            "configuration": configuration.canonical(),
            "measurement": figures,
            "stages": {task.stage: task.key for task in chains.chain(configuration)},
            "seconds": {},
        },
    )


def driver_of(
    study: optuna.Study, chains: Chains, runner: Runner, observer: Observer, trials: int, sampler: str | None = None
) -> Driver:
    """The driver of ``study`` with the sampler of that name, or the one that a search has by default."""
    targets = TrialTargets(OBJECTIVES, ())
    name = sampler or str(StudyRequest.model_fields["sampler"].default)
    study.sampler = make_sampler(name, study, chains.space, targets, 0)
    return Driver(SearchContext(study, runner, chains, OBJECTIVES, (), observer), targets, trials)


def home_in(folder: Path) -> Home:
    """A home as users have it."""
    home = Home(folder / "home")
    home.make()
    return home
