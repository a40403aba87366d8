"""Checks that the four package names resolve to this project, before any of them is imported.

The names ``search``, ``spaces``, ``runners`` and ``dashboards`` are common, and ``spaces`` is a package on PyPI.
"""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

DOCSTRINGS = {
    "search": "What to try next, and the command line",
    "spaces": "What may be chosen",
    "runners": "How a choice becomes a measurement",
    "dashboards": "How a search is seen",
}
"""The first words of the ``__init__.py`` of each package.

The folder alone does not identify a package: two distributions that are installed side by side can write into one
folder ``spaces``, and the later one overwrites the files of the earlier.
"""


def check_packages() -> str | None:
    """One sentence on the first package that is not this project's, with what to do; None if all four are.

    No package is imported, because a foreign one could run any code.
    """
    for name, docstring in DOCSTRINGS.items():
        found = _location(_find(name))
        if found != ROOT / name or not _starts_with(found, docstring):
            return (
                f"the package {name!r} resolves to {found or 'nothing'}, which is not Frontrunner's "
                f"(that belongs in {ROOT / name}); run `pip uninstall {name}`, remove a {name}.py or {name} folder "
                "that lies on PYTHONPATH or in the current folder, and install frontrunner again, or use a fresh "
                "virtual environment"
            )
    return None


def _find(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # a module of this name is already loaded, and has no specification
        return None


def _location(spec: ModuleSpec | None) -> Path | None:
    """The folder of a package, or the file of a module; None where there is neither."""
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or [])
    location = folders[0] if folders else spec.origin
    return Path(location).resolve() if location else None


def _starts_with(folder: Path, docstring: str) -> bool:
    file = folder / "__init__.py"
    return file.is_file() and file.read_text(encoding="utf-8").startswith(f'"""{docstring}')
