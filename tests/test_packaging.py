"""What is installed is what is here: the wheel has every module, and the README's commands are the ones in use."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

LAYERS = ("search", "dashboards", "runners", "spaces")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def package_folders(root: Path) -> set[str]:
    """The dotted name of every folder of the four layers that holds Python files."""
    folders = {file.parent for layer in LAYERS for file in (root / layer).rglob("*.py")}
    return {".".join(folder.relative_to(root).parts) for folder in folders}


def readme_command(name: str) -> str:
    """The line in the fenced block that follows the marker of ``name`` in the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^<!-- command: {name} -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"README.md has {len(blocks)} blocks that are marked <!-- command: {name} -->, not one"
    (line,) = blocks[0].splitlines()
    return str(line)


def run(*command: str | Path, cwd: Path) -> str:
    """What ``command`` prints; it must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built from a copy, so that nothing old is in it and nothing new stays behind."""
    copy = tmp_path_factory.mktemp("copy")
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is unpacked."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_package_folder_is_listed_in_pyproject() -> None:
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(package_folders(ROOT))


def test_every_package_folder_has_an_init_that_says_what_it_is_for() -> None:
    for name in package_folders(ROOT):
        text = (ROOT / name.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{name}/__init__.py says nothing"


def test_a_forgotten_folder_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "runners" / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "runners" / "deep" / "deeper" / "new.py").write_text("")
    assert package_folders(tmp_path) == {"runners.deep.deeper"}


def minor_pin(name: str, requirements: list[str]) -> int:
    """N where the requirement on ``name`` is ``>=X.N,<X.N+1`` with one X: one minor version and no other."""
    (pin,) = (text for text in requirements if re.match(rf"{name}(?![\w-])", text))
    found = re.fullmatch(rf"{name}>=(\d+)\.(\d+),<(\d+)\.(\d+)", pin)
    assert found, f"{pin} is no pin to one minor version"
    major, minor, end_major, end_minor = map(int, found.groups())
    assert (end_major, end_minor) == (major, minor + 1), f"{pin} allows more than one minor version"
    return minor


def test_torch_and_torchvision_are_pinned_as_a_pair() -> None:
    """Each torch 2.N has its torchvision 0.(N+15); any other pair fails when it is imported."""
    torch, torchvision = (minor_pin(name, PROJECT["project"]["dependencies"]) for name in ("torch", "torchvision"))
    assert torchvision == torch + 15
    for name, minor in (("torch", torch), ("torchvision", torchvision)):
        assert int(importlib.metadata.version(name).split(".")[1]) == minor


@pytest.mark.parametrize("pin", ["torch>=2.14", "torch>=2.14,<3", "torch>=2.14,<2.16", "torch"])
def test_a_pin_that_lets_torch_move_alone_would_be_noticed(pin: str) -> None:
    with pytest.raises(AssertionError):
        minor_pin("torch", [pin, "torchvision>=0.29,<0.30"])


def test_the_readme_gives_a_command_that_searches_and_one_that_tests() -> None:
    entry_point = next(iter(PROJECT["project"]["scripts"]))
    assert readme_command("main").endswith(f".venv/bin/{entry_point} search")
    assert readme_command("test").endswith("-m pytest -n 2 --dist worksteal")
    for name in ("main", "test"):
        first, *_ = readme_command(name).split(" && ")
        assert first == "python3 -m venv .venv", "the command must bring its own environment"


def test_the_checks_run_exactly_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    shown = run("bash", ROOT / ".ci" / "run", "--show", cwd=ROOT)
    assert shown == readme_command("test") + "\n"
    assert 'test_command="$(readme_command test)"' in script
    assert 'bash -c "$test_command"' in script
    assert "-m pytest" not in script


def test_the_checks_can_be_started_as_a_program() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_licence_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_wheel_has_every_module_and_every_preset(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        file.relative_to(ROOT).as_posix()
        for layer in LAYERS
        for pattern in ("*.py", "*.yaml")
        for file in (ROOT / layer).rglob(pattern)
        if file.parent != ROOT / "dashboards" / "example"
    }
    assert wanted - inside == set()
    assert "spaces/presets/cpu.yaml" in inside
    assert any(name.endswith("/licenses/LICENSE") for name in inside)


def test_the_wheel_has_nothing_beside_the_four_packages_and_its_own_description(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops - set(LAYERS) == {f"frontrunner-{PROJECT['project']['version']}.dist-info"}


def test_the_wheel_works_from_another_folder(site: Path, tmp_path: Path) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(site)!r})
from search.package_guard import check_packages
from spaces.environment import Environment
from spaces.space_document import all_techniques, make_space, preset_text
import yaml, spaces
assert spaces.__file__.startswith({str(site)!r}), spaces.__file__
assert check_packages() is None, check_packages()
print(len(list(make_space(yaml.safe_load(preset_text("cpu")), Environment()).configurations())))
"""
    assert int(run(sys.executable, "-I", "-c", script, cwd=tmp_path)) > 1


def test_the_command_of_the_wheel_answers(site: Path, tmp_path: Path) -> None:
    module, function = PROJECT["project"]["scripts"]["frontrunner"].split(":")
    script = f"""
import sys
sys.path.insert(0, {str(site)!r})
sys.argv = ["frontrunner", "--help"]
import {module} as entry
assert entry.__file__.startswith({str(site)!r}), entry.__file__
entry.{function}()
"""
    assert "search" in run(sys.executable, "-I", "-c", script, cwd=tmp_path)


FIXED = {"ray": "2.52", "mlflow": "3.5", "torch": "2.6"}
"""The versions that SECURITY.md names: holes that are known in earlier ones are mended there."""


def test_no_version_with_a_known_hole_can_be_installed() -> None:
    wanted = {Requirement(each).name: Requirement(each).specifier for each in PROJECT["project"]["dependencies"]}
    for name, version in FIXED.items():
        below = f"{version.rpartition('.')[0]}.{int(version.rpartition('.')[2]) - 1}.99"
        assert not wanted[name].contains(below), name
        assert wanted[name].contains(importlib.metadata.version(name)), name
