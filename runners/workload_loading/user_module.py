"""A person's own file or module, run quietly and without windows."""

import hashlib
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType

from runners.workload_loading.user_code import user_code
from spaces.errors import RequestError

NO_WINDOWS = {"MPLBACKEND": "agg", "QT_QPA_PLATFORM": "offscreen", "SDL_VIDEODRIVER": "dummy"}
"""What makes libraries draw into memory, where the person has not said otherwise."""
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
OWN_NAME = "frontrunner_workload_"
"""How the names begin under which a person's files are loaded."""


def load_module(place: str) -> ModuleType:
    """The module that an absolute ``FILE.py`` or a dotted name stands for.

    Raises:
        RequestError: It raises; the sentence has the line.
    """
    if place.endswith(".py"):
        return _load_file(Path(place))
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    with user_code(f"importing {place}"), quiet():
        return importlib.import_module(place)


@contextmanager
def quiet() -> Iterator[None]:
    """Context in which what a person's code prints is thrown away, what it reads from the keyboard is at its end, and
    no window opens: a search has no place for either, and runs the code in many processes."""
    before = {name: os.environ.get(name) for name in (*NO_WINDOWS, *SCREENS)}
    stdin = sys.stdin
    with open(os.devnull, "r+", encoding="utf-8", errors="replace") as nothing, redirect_stdout(nothing):
        sys.stdin = nothing
        for name in SCREENS:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in NO_WINDOWS.items() if before[name] is None})
        try:
            yield
        finally:
            sys.stdin = stdin
            for name, value in before.items():
                os.environ.pop(name, None)
                os.environ.update({name: value} if value is not None else {})


@cache
def _load_file(path: Path) -> ModuleType:
    """Run a person's file under a name of its own; its folder comes last on the import path."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = ModuleType(f"{OWN_NAME}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        with user_code(f"running {path.name}", path), quiet():
            # Compiled here rather than imported: a cached bytecode file can be older than an edit of the same second.
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
    except RequestError:
        del sys.modules[module.__name__]
        raise
    return module
