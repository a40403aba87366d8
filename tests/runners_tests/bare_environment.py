"""An environment that holds a few packages and what they declare to need, and nothing else."""

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROGRAM = """
import runpy, sys
sys.path.append(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def needed(*packages: str) -> dict[str, object]:
    """The installed distributions of ``packages`` and of all that they declare to need, by name."""
    found: dict[str, object] = {}
    waiting = [*packages]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # declared, and not installed here either
        requirements = map(Requirement, found[name].requires or [])
        waiting += [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def bare_environment(folder: Path, *packages: str) -> Path:
    """Links in ``folder`` to the files of ``packages`` and of what they declare to need."""
    folder.mkdir()
    for found in needed(*packages).values():
        tops = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(found.locate_file(top))
    return folder


def command(environment: Path, program: Path, *arguments: str) -> list[str]:
    """The command that runs ``program`` with Python's own library and ``environment`` alone."""
    return [sys.executable, "-I", "-S", "-c", PROGRAM, str(environment), str(program), *arguments]
