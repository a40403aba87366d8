"""Refuses a person's own modules that have the name of one of our packages."""

from pathlib import Path

from runners.workload_loading.reference import Reference, absolute_reference
from runners.workload_loading.source_files import imported_names, sources_of
from runners.workload_loading.user_code import OUR_PACKAGES, user_code
from spaces.errors import RequestError

_ROOT = Path(__file__).resolve().parents[2]


def refuse_taken_names(reference: Reference) -> None:
    """Refuse a workload that imports a neighbour which has the name of one of our packages; nothing is run.

    Which of the two is imported depends on the process: it works in some, and fails in others much later.

    Args:
        reference: As `runners.workload_loading.reference.resolve` takes it.

    Raises:
        RequestError: One is imported; the sentence says where and what to do.
    """
    with user_code(f"reading {reference}"):
        for file in sources_of(absolute_reference(reference, Path.cwd())):
            _refuse_taken_names(file)


def hiding_file(folder: Path, name: str) -> Path | None:
    """The file or package in ``folder`` that hides our package ``name``, where it comes first on the import path."""
    if name not in OUR_PACKAGES or folder.resolve() == _ROOT:
        return None
    candidates = (folder / f"{name}.py", folder / name / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _refuse_taken_names(file: Path) -> None:
    for folder, name in imported_names(file, file.parent):
        if folder == file.parent and (hiding := hiding_file(folder, name[0])) and not _is_ours(name):
            raise RequestError(
                f"{file.name} imports {'.'.join(name)} from {hiding}, but {name[0]} is also the name of a package of "
                "Frontrunner's, which some processes would import in its place; give it another name"
            )


def _is_ours(name: tuple[str, ...]) -> bool:
    """Whether a dotted name is a module of ours; our packages themselves hold nothing."""
    module = _ROOT.joinpath(*name[:2])
    return len(name) > 1 and (module.is_dir() or module.with_suffix(".py").is_file())
