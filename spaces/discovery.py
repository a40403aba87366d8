"""Folders that are walked: a new technique, backend or workload is one file, and no list names it."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from spaces.errors import RequestError, in_one_line


def walk(package: ModuleType, attribute: str) -> dict[str, Any]:
    """Import every module of ``package`` and collect what each declares under ``attribute``.

    Args:
        package: An imported package, such as ``spaces.techniques``.
        attribute: The name that each module must define, such as ``TECHNIQUE``.

    Returns:
        The declared objects by their ``name``, in the order of the file names.

    Raises:
        RequestError: A module fails to import, declares nothing or something without a name, or repeats a
            name. It names the module, because a file that silently does not count is worse than a program
            that stops.
    """
    found: dict[str, Any] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        dotted = f"{package.__name__}.{info.name}"
        declared = _declared(dotted, attribute)
        if declared.name in found:
            raise RequestError(f"{dotted} declares the name {declared.name!r}, which another file has; rename one")
        found[declared.name] = declared
    return found


def _declared(dotted: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(dotted)
    except Exception as error:
        raise RequestError(f"{dotted} fails to import ({in_one_line(error)}); mend or remove it") from error
    if not hasattr(module, attribute):
        raise RequestError(f"{dotted} defines no {attribute}; every file in this folder declares one")
    declared = getattr(module, attribute)
    if not isinstance(getattr(declared, "name", None), str):
        raise RequestError(f"{dotted} declares a {attribute} without a name; give it a name attribute")
    return declared
