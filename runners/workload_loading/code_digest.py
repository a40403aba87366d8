"""A digest of our own code, by which a change of it is seen.

What is counted: the modules that are asked for, and every module of `runners` and `spaces` that they import, directly
or not, inside functions too. Of each the syntax tree is hashed without its docstrings, so that comments, docstrings
and the layout of the lines change nothing.

What is not counted is `NOT_COUNTED`, because it decides where and when something is computed, or how it is named and
stored, and not what comes out. What a plan or a space says reaches a stage through its settings, and a workload
through its fingerprint; both are in the key beside the code. Libraries are there by their versions.

Paths count from the folder above our packages, so a checkout and an installed wheel of the same code agree. The
syntax tree is that of the running version of Python: another version may give another digest.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from runners.workload_loading.source_files import direct_imports, with_imports

ROOT = Path(__file__).resolve().parents[2]
COUNTED = ("runners", "spaces")
NOT_COUNTED = {
    *(f"runners.{name}" for name in ("executors", "machine", "processes", "runner", "store", "workload_loading")),
    *(f"spaces.{name}" for name in ("axis", "configuration", "credentials", "discovery", "environment", "errors")),
    *(f"spaces.{name}" for name in ("plans", "search_space", "setting_error", "space_document", "technique")),
}
"""Modules and packages that are left out, with all in them, unless they are asked for by name."""


def code_digest(modules: Iterable[str]) -> str:
    """SHA-256 over the code of ``modules``, dotted names such as ``runners.stages.teacher``, and of what they import.

    A file is read once in a process.
    """
    begin = [ROOT.joinpath(*module.split(".")).with_suffix(".py") for module in modules]
    digest = hashlib.sha256()
    for file in with_imports(begin, _imports):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0{_code(file)}\0".encode())
    return digest.hexdigest()


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    return direct_imports(file, ROOT, _is_counted)


def _is_counted(folder: Path, name: tuple[str, ...]) -> bool:
    whole = (*folder.relative_to(ROOT).parts, *name)
    return whole[0] in COUNTED and ".".join(whole[:2]) not in NOT_COUNTED


@cache
def _code(file: Path) -> str:
    """SHA-256 over the syntax tree without docstrings and places in the file."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_text(each)]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a text alone: a docstring, of an attribute too."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
