"""The names of torchvision's networks, read off its source files: importing torchvision takes seconds."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from spaces.setting_error import did_you_mean

_REGISTERED = re.compile(r'^@register_model\((?:name="(\w+)")?\)$.*?^def (\w+)', re.MULTILINE | re.DOTALL)


def classifier_problem(name: str) -> str | None:
    """Why torchvision has no network for classification of that name, or None; None too where it is not installed."""
    known = registered_names("")
    if not known or name in known:
        return None
    if name in registered_names("segmentation"):
        return (
            f"torchvision's {name} is for segmentation, whose data a study file cannot name; write a workload in Python"
        )
    return f"torchvision has no classification model {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}"


@cache
def registered_names(folder: str) -> tuple[str, ...]:
    """The names that the files in a ``folder`` below ``torchvision.models`` register, sorted; "" is that one itself."""
    package = find_spec("torchvision")
    roots = package.submodule_search_locations if package else None
    files = [file for root in roots or () for file in sorted((Path(root) / "models" / folder).glob("*.py"))]
    found = (_REGISTERED.findall(file.read_text(encoding="utf-8")) for file in files)
    return tuple(sorted(named or function for names in found for named, function in names))
