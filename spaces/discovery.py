"""Finds techniques, backends and workloads: each is one file of a folder or below it, and no list names them."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from spaces.errors import RequestError, in_one_line


def walk(package: ModuleType, attribute: str) -> dict[str, Any]:
    """The object that each module of ``package`` and of the folders in it defines as ``attribute``, by its name.

    Args:
        package: An imported package, such as ``spaces.techniques``.
        attribute: The variable that each module must define, such as ``TECHNIQUE``.

    Returns:
        The objects by their ``name``, in the order of the names of files and folders.

    Raises:
        RequestError: A module cannot be imported, does not define the variable, or uses a name twice. The message
            names the module; a file that is silently ignored would be worse.
    """
    found: dict[str, Any] = {}
    for dotted in _modules(package):
        declared = _declared(dotted, attribute)
        if declared.name in found:
            raise RequestError(f"{dotted} declares the name {declared.name!r}, which another file has; rename one")
        found[declared.name] = declared
    return found


def _modules(package: ModuleType) -> Iterator[str]:
    """The dotted names of the modules of ``package`` and of the packages in it."""
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        dotted = f"{package.__name__}.{info.name}"
        if info.ispkg:
            yield from _modules(importlib.import_module(dotted))
        else:
            yield dotted


def _declared(dotted: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(dotted)
    except Exception as error:
        raise RequestError(f"{dotted} fails to import ({in_one_line(error)}); fix or remove it") from error
    if not hasattr(module, attribute):
        raise RequestError(f"{dotted} defines no {attribute}; every file in this folder declares one")
    declared = getattr(module, attribute)
    if not isinstance(getattr(declared, "name", None), str):
        raise RequestError(f"{dotted} declares a {attribute} without a name; give it a name attribute")
    return declared
