"""The name of a stage's result: a hash over everything that decides it."""

import hashlib
import json

from runners.machine.versions import library_versions
from runners.runner import StageTask

STAGE_VERSIONS = {
    "teacher": 2,
    "transforming": 2,
    "training": 3,
    "settling": 1,
    "quantising": 1,
    "lowering": 1,
    "measuring": 8,
    "comparing": 6,
    "calibrating": 6,
}
"""Raised whenever a stage's code gives another result for the same settings."""


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
