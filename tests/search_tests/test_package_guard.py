"""A foreign package under one of our four names is noticed before it is imported."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search.package_guard import DOCSTRINGS, check_packages

ROOT = Path(__file__).resolve().parents[2]

FOREIGN = "raise SystemExit('the foreign package was imported')\n"


def checked(*path: Path, load: str = "") -> str:
    """What the guard of this checkout says in a fresh process, with ``path`` before everything else."""
    script = f"""
import importlib.util, sys
sys.path[:0] = {[str(folder) for folder in path]!r}
{load}
spec = importlib.util.spec_from_file_location("guard", {str(ROOT / "search" / "package_guard.py")!r})
guard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guard)
print(guard.check_packages())
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_is_well_in_this_checkout() -> None:
    assert check_packages() is None


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_the_guard_knows_how_each_package_opens(name: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8")))
    assert text is not None
    assert text.startswith(DOCSTRINGS[name])


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_a_foreign_package_earlier_on_the_path_is_named_and_not_imported(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(FOREIGN)
    said = checked(tmp_path, ROOT)
    assert said.startswith(f"the package {name!r} resolves to {tmp_path / name}")
    assert f"pip uninstall {name}" in said
    assert "\n" not in said


def test_a_single_file_of_that_name_is_noticed_too(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(FOREIGN)
    assert f"resolves to {tmp_path / 'spaces.py'}" in checked(tmp_path, ROOT)


def test_a_folder_without_an_init_does_not_hide_ours(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    assert checked(tmp_path, ROOT) == "None"


def test_a_foreign_package_that_is_loaded_already_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").write_text("")
    assert str(tmp_path) in checked(tmp_path, ROOT, load="import spaces")


def test_a_module_without_a_specification_is_noticed() -> None:
    load = "import types\nsys.modules['spaces'] = types.ModuleType('spaces')"
    assert "the package 'spaces' resolves to nothing" in checked(ROOT, load=load)


def test_a_foreign_package_that_was_installed_over_ours_is_noticed(tmp_path: Path) -> None:
    """Two distributions with one folder name share it, and the later one's ``__init__.py`` wins."""
    for name in DOCSTRINGS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from search import package_guard as g; print(g.check_packages())"
    )
    command = [sys.executable, "-I", "-c", script, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"
    (tmp_path / "spaces" / "__init__.py").write_text(FOREIGN)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("the package 'spaces' resolves to")


def test_the_guard_itself_loads_nothing_of_ours() -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import search.package_guard; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    ours = {name for name in loaded.split() if name.split(".")[0] in DOCSTRINGS}
    assert ours == {"search", "search.package_guard"}
