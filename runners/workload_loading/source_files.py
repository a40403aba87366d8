"""The source files that decide what a workload is: its own, and what it imports from beside it."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from runners import workloads
from runners.workload_loading.image_settings import read_settings
from runners.workload_loading.reference import Reference, split_reference
from runners.workload_loading.user_code import INSTALLED, OUR_PACKAGES
from runners.workload_loading.weights_settings import TIMM, TORCHVISION
from spaces.errors import RequestError


def sources_of(reference: Reference) -> tuple[Path, ...]:
    """The person's own Python files that a workload's reference names, and what they import; nothing is run.

    Args:
        reference: As `runners.workload_loading.reference.absolute_reference` gives it. A built-in workload has no such
            files, nor has a mapping with a model of a library.

    Raises:
        RequestError: The module that it names cannot be found.
    """
    if isinstance(reference, Mapping):
        settings = read_settings(reference, Path.cwd())
        if settings.program or settings.family in (TORCHVISION, TIMM):
            return ()
        reference = settings.model
    place, name = split_reference(reference)
    if place.endswith(".py"):
        return source_files(Path(place))
    if name is None or place.startswith(f"{workloads.__name__}."):
        return ()
    file = _module_file(place)
    above = place.count(".") + (file.name == "__init__.py")
    return source_files(file, file.parents[above])


def _module_file(dotted: str) -> Path:
    """The file of a module that is installed or lies in the current folder, found without importing any part of it."""
    top, *rest = dotted.split(".")
    spec = None if top == "__main__" else find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])
    for name in rest:
        spec = PathFinder.find_spec(f"{spec.name}.{name}", spec.submodule_search_locations) if spec else None
    if spec is None or spec.origin is None:
        raise RequestError(f"there is no module {dotted}; install it, or run the command in its folder")
    return Path(spec.origin)


def source_files(file: Path, root: Path | None = None) -> tuple[Path, ...]:
    """``file`` and every Python file that it imports, directly or not, from beside it; sorted by name.

    A network in ``layers.py`` beside ``workload.py`` belongs to the workload: when it changes, nothing that was
    computed before may be taken for it. Other installed packages are not followed; their versions are recorded
    with every stage.

    Args:
        file: The file that defines the workload.
        root: The folder that absolute imports start from; by default the folder of ``file``.
    """
    root = root or file.parent
    own = file.relative_to(root).parts[0].removesuffix(".py")

    def theirs(folder: Path, name: tuple[str, ...]) -> bool:
        return folder != root or (name[0] not in OUR_PACKAGES and (name[0] == own or not INSTALLED & set(root.parts)))

    return with_imports([file], lambda importing: direct_imports(importing, root, theirs))


def with_imports(files: Iterable[Path], direct: Callable[[Path], Iterable[Path]]) -> tuple[Path, ...]:
    """``files`` and all that they import, directly or not, where ``direct`` gives what one imports; sorted by name."""
    found = set(files)
    waiting = list(found)
    while waiting:
        new = {path for path in direct(waiting.pop()) if path not in found}
        found |= new
        waiting += new
    return tuple(sorted(found))


def direct_imports(file: Path, root: Path, follow: Callable[[Path, tuple[str, ...]], bool]) -> tuple[Path, ...]:
    """The Python files below ``root`` that importing what ``file`` names may run.

    Args:
        file: The file that imports.
        root: The folder that absolute imports start from.
        follow: Whether an import counts, by the folder that it starts from and the parts of its dotted name.
    """
    return tuple(
        path for folder, name in imported_names(file, root) if follow(folder, name) for path in _modules(folder, name)
    )


def imported_names(file: Path, root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """What the file may import: a folder to start from, and the parts of a dotted name."""
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            yield from ((root, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = file.parents[node.level - 1] if node.level else root
            start = tuple(node.module.split(".")) if node.module else ()
            yield from ((folder, (*start, alias.name)) for alias in node.names)


def _modules(folder: Path, name: tuple[str, ...]) -> list[Path]:
    """The files that importing ``a.b.c`` may run: ``a``, ``a.b`` and ``a.b.c``, each a module or a package."""
    prefixes = [folder.joinpath(*name[:length]) for length in range(1, len(name) + 1)]
    candidates = [path for prefix in prefixes for path in (Path(f"{prefix}.py"), prefix / "__init__.py")]
    return [path for path in candidates if path.is_file()]
