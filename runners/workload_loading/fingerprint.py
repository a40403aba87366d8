"""A hash of everything that decides how a workload behaves, by which stages know whether a result is of this one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from runners import workloads
from runners.models.given_weights import given_weights
from runners.models.program_file import ProgramFile
from runners.workload import Workload
from runners.workload_loading.code_digest import code_digest
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.reference import Reference, absolute_reference, split_reference
from runners.workload_loading.source_files import sources_of

MAKERS = ("runners.workload_loading.image_workload", "runners.workload_loading.image_settings")
"""The modules that make a workload from a mapping; images and their augmentation come with what they import."""


def fingerprint(workload: Workload, reference: Reference) -> str:
    """SHA-256 over data, training plan, the code that defines the workload, and the weights that it comes with."""
    parts: list[Any] = [[name, split.fingerprint()] for name, split in sorted(workload.splits.items())]
    parts += [asdict(workload.training), _definition(absolute_reference(reference, Path.cwd()))]
    parts.append(_given_weights(workload))
    if isinstance(workload.model, ProgramFile):
        parts.append(_digest(workload.model.file))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _given_weights(workload: Workload) -> str:
    """Digest of the weights that the model comes with: those that are the same whatever is drawn at random."""
    from runners.lowering.weights import weights_digest

    if workload.pretrained:
        return weights_digest(workload.model())
    digest = hashlib.sha256()
    for name, tensor in given_weights(workload.model).items():
        plain = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(name.encode() + plain.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _definition(reference: Reference) -> Any:
    """What decides how the workload behaves apart from its data: source texts, or settings without paths."""
    if isinstance(reference, Mapping):
        given = read_settings(reference, Path.cwd())
        settings = {key: value for key, value in reference.items() if key != "data"}
        if given.own_weights:
            settings["weights"] = "own"
        own_code = [_digest(path) for path in sources_of(reference)]
        if own_code or given.program:  # the program itself is hashed elsewhere
            settings["model"] = given.model_name
        return [settings, code_digest(MAKERS), *own_code]
    place, name = split_reference(reference)
    if files := sources_of(reference):
        return [name, [_digest(path) for path in files]]
    return [name, code_digest((place if name else f"{workloads.__name__}.{place}",))]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
