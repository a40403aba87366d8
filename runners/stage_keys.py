"""The name of a stage's result: a hash over everything that decides it.

The code that computes the stage is part of it, see `runners.workload_loading.code_digest`: the stage's own module and
what it imports, the file of the technique that changes the network, that of the backend that lowers it, and that of the
strategy by which several workers train it. A technique that only changes a plan is not among them, as all it decides
stands in the settings. So are the versions of libraries, with those that the backend names as its packages.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache

from runners.backends import find_backend
from runners.machine.versions import library_versions
from runners.runner import StageTask
from runners.training.strategies import module_of
from runners.workload_loading.code_digest import code_digest
from spaces.space_document import find_technique

REPLICAS = "runners.serving.replica_process"
"""Started by its name as a program, so nothing imports it."""


def stage_key(task: StageTask, fingerprint: str) -> str:
    """SHA-256 over the canonical JSON of all that decides the result of ``task``; its own ``key`` is not read."""
    runtime = task.settings.get("runtime")
    packages = () if runtime is None else find_backend(runtime).packages
    material = {
        "stage": task.stage,
        "code": code_of(task),
        "settings": task.settings,
        "inputs": task.inputs,
        "workload": fingerprint,
        "seed": task.seed,
        "libraries": library_versions(*packages),
    }
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def code_of(task: StageTask) -> str:
    """Digest of the code with which this process would compute ``task``."""
    settings = task.settings
    strategy = settings.get("strategy") if settings.get("workers", 1) > 1 else None
    return stage_code(task.stage, settings.get("technique"), settings.get("runtime"), strategy)


@cache
def stage_code(stage: str, technique: str | None, runtime: str | None, strategy: str | None = None) -> str:
    """Digest of the code that computes a stage, found once in a process.

    Args:
        stage: Name of the stage.
        technique: Name of the technique that changes the network, where the stage has one.
        runtime: Name of the backend that lowers the network, where the stage has one.
        strategy: Name of the strategy by which several workers train, where they do.
    """
    return code_digest(tuple(_modules(stage, technique, runtime, strategy)))


def _modules(stage: str, technique: str | None, runtime: str | None, strategy: str | None) -> Iterator[str]:
    yield f"runners.stages.{stage}"
    if technique is not None:
        yield type(find_technique(technique)).__module__
    if runtime is not None:
        yield type(find_backend(runtime)).__module__
    if strategy is not None:
        yield module_of(strategy)
    if stage == "measuring":
        yield REPLICAS
