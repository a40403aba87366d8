"""A look, before anything is imported, at whose packages the four general names lead to."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent

OPENINGS = {
    "search": "What to try next, and the command line",
    "spaces": "What may be chosen",
    "runners": "How a choice becomes a measurement",
    "dashboards": "How a search is seen",
}
"""How the ``__init__.py`` of each of our packages begins.

The place alone does not tell: two distributions that are installed side by side write into one ``spaces``
folder, and the later one overwrites the file of the earlier.
"""


def check_packages() -> str | None:
    """One sentence on the first of the four packages that is not this project's, and what to do; None if all are.

    Nothing is imported: a foreign package of the same name could do anything, and this one may hide our own
    error types.
    """
    for name, opening in OPENINGS.items():
        found = _folder(_find(name))
        if found != HOME / name or not _opens_with(found, opening):
            return (
                f"the package {name!r} resolves to {found or 'nothing'}, which is not Frontrunner's "
                f"(that belongs in {HOME / name}); run `pip uninstall {name}`, remove a {name}.py or {name} folder "
                "that lies on PYTHONPATH or in the current folder, and install frontrunner again, or use a fresh "
                "virtual environment"
            )
    return None


def _find(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # It is loaded already, by something that gave it no specification.
        return None


def _folder(spec: ModuleSpec | None) -> Path | None:
    """The folder of a package, or the file of a module; None where there is neither."""
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    place = places[0] if places else spec.origin
    return Path(place).resolve() if place else None


def _opens_with(folder: Path, opening: str) -> bool:
    file = folder / "__init__.py"
    return file.is_file() and file.read_text(encoding="utf-8").startswith(f'"""{opening}')
