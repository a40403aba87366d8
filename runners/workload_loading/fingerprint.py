"""A hash of everything that decides how a workload behaves, by which stages know whether a result is of this one."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runners import workloads
from runners.workload import Workload
from runners.workload_loading.code_digest import code_digest
from runners.workload_loading.reference import Reference, absolute_reference, split_reference
from runners.workload_loading.source_files import source_files
from runners.workload_loading.torchvision_settings import read_settings

MAKERS = ("runners.workload_loading.torchvision_workload", "runners.workload_loading.torchvision_settings")
"""The modules that make a workload from a mapping; images and their augmentation come with what they import."""


def fingerprint(workload: Workload, reference: Reference) -> str:
    """SHA-256 over data, training plan, the code that defines the workload, and the weights that it comes with."""
    parts: list[Any] = [[name, split.fingerprint()] for name, split in sorted(workload.splits.items())]
    parts += [asdict(workload.training), _definition(absolute_reference(reference, Path.cwd()))]
    if workload.pretrained:
        from runners.lowering.weights import weights_digest

        parts.append(weights_digest(workload.model()))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _definition(reference: Reference) -> Any:
    """What decides how the workload behaves apart from its data: source texts, or settings without paths."""
    if isinstance(reference, Mapping):
        settings = {key: value for key, value in reference.items() if key != "data"}
        if read_settings(reference, Path.cwd()).own_weights:
            settings["weights"] = "own"
        return [settings, code_digest(MAKERS)]
    place, name = split_reference(reference)
    if place.endswith(".py"):
        return [name, [_digest(path) for path in source_files(Path(place))]]
    module = place if name else f"{workloads.__name__}.{place}"
    if module.startswith(f"{workloads.__name__}."):
        return [name, code_digest((module,))]
    return [name, [_digest(path) for path in _module_sources(module)]]


def _module_sources(dotted: str) -> tuple[Path, ...]:
    file = _file_of(dotted)
    above = dotted.count(".") + (file.name == "__init__.py")
    return source_files(file, file.parents[above])


def _file_of(dotted: str) -> Path:
    spec = find_spec(dotted)
    origin = spec.origin if spec else None
    assert origin is not None, f"{dotted} has no file"
    return Path(origin)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
