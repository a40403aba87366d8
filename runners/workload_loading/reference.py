"""From how a person names a workload to the workload itself: a built-in, a file, a module, or a mapping."""

import importlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runners import workloads
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.user_module import load_module
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

if TYPE_CHECKING:
    from runners.workload import Workload

Reference = str | Mapping[str, Any]

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def built_in_names() -> tuple[str, ...]:
    """The workloads that come with the project, read off the names of their files."""
    files = (path for folder in workloads.__path__ for path in Path(folder).glob("*.py"))
    return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))


def absolute_reference(reference: Reference, base: Path) -> Reference:
    """The same workload, named so that it means the same from every folder.

    Args:
        reference: ``digits``, ``FILE.py``, ``FILE.py:NAME``, ``package.module:NAME``, or a mapping with a
            model and a folder of images.
        base: The folder that relative paths start from.

    Raises:
        RequestError: It is none of these, or a file or folder does not exist. Nothing is imported to find that out.
    """
    try:
        return _absolute(reference, base)
    except RequestError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have
        raise RequestError(f"{str(reference)[:200]!r} cannot be looked for ({error}); {_allowed()}") from error


def _absolute(reference: Reference, base: Path) -> Reference:
    if isinstance(reference, Mapping):
        return read_settings(reference, base).to_mapping()
    if not isinstance(reference, str):
        raise RequestError(f"{reference!r} names no workload; {_allowed()}")
    if reference.endswith(":"):
        raise RequestError(f"{reference!r} ends in a colon; put the name of the workload behind it")
    place, name = split_reference(reference)
    if place.endswith(".py"):
        return f"{_existing_file(place, base)}{':' + name if name else ''}"
    if name and _MODULE.fullmatch(place):
        return reference
    if name or reference not in built_in_names():
        raise RequestError(_not_found(reference, base))
    return reference


def split_reference(reference: str) -> tuple[str, str | None]:
    """``FILE.py:NAME`` or ``package.module:NAME`` in two; None stands for a name that is not given."""
    place, _, name = reference.rpartition(":")
    return (place, name) if place and name.isidentifier() else (reference, None)


def check_workload_reference(reference: Reference) -> None:
    """Check all that can be checked of a reference without importing torch or the person's own code.

    Raises:
        RequestError: As `absolute_reference`, with paths relative to the current folder.
    """
    absolute_reference(reference, Path.cwd())


def resolve(reference: Reference) -> "Workload":
    """The workload that a reference names, made once in a process.

    Raises:
        RequestError: There is none of that name, the person's file fails (with its line and its error), or what
            it defines is not a workload.
    """
    import torch

    absolute = absolute_reference(reference, Path.cwd())
    # Making it may draw random numbers, which must not change what comes after in a process that has it already.
    with torch.random.fork_rng(devices=[]):
        return _resolve(json.dumps(absolute, sort_keys=True))


@cache
def _resolve(reference_json: str) -> "Workload":
    reference = json.loads(reference_json)
    if not isinstance(reference, str):
        from runners.workload_loading.image_workload import make_workload

        return make_workload(read_settings(reference, Path.cwd()))
    place, name = split_reference(reference)
    if place.endswith(".py"):
        return _pick(load_module(place), name, Path(place).name)
    if name is not None:
        return _pick(load_module(place), name, place)
    return _pick(importlib.import_module(f"{workloads.__name__}.{reference}"), "WORKLOAD", reference)


def _pick(module: ModuleType, name: str | None, place: str) -> "Workload":
    from runners.workload import Workload

    found = {key: value for key, value in vars(module).items() if isinstance(value, Workload)}
    if name is None and "WORKLOAD" not in found and len({id(value) for value in found.values()}) == 1:
        return next(iter(found.values()))
    wanted = name or "WORKLOAD"
    if wanted in found:
        return found[wanted]
    if hasattr(module, wanted):
        kind = type(getattr(module, wanted)).__name__
        raise RequestError(f"{wanted} in {place} is of type {kind}; it must be a runners.workload.Workload")
    have = f"it defines {', '.join(found)}" if found else "it defines no Workload at all"
    raise RequestError(f"{place} has no {wanted}; {have}{did_you_mean(wanted, found)}")


def _existing_file(place: str, base: Path) -> Path:
    path = (base / Path(place).expanduser()).resolve()
    if path.is_file():
        return path
    near = did_you_mean(path.name, [other.name for other in path.parent.glob("*.py")]) if path.parent.is_dir() else ""
    raise RequestError(f"there is no file {place} (looked for {path}); {_allowed()}{near}")


def _not_found(reference: str, base: Path) -> str:
    if (base / f"{reference}.py").is_file():
        return f"unknown workload {reference!r}; for the file write {reference}.py"
    if "/" in reference or "\\" in reference or (base / reference).exists():
        return f"{reference!r} is no Python file; {_allowed()}"
    return f"unknown workload {reference!r}; {_allowed()}{did_you_mean(reference, built_in_names())}"


def _allowed() -> str:
    return f"allowed are {', '.join(built_in_names())}, FILE.py, FILE.py:NAME and package.module:NAME"
