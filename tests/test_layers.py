"""Imports go one way, among the four top folders and among the groups inside, and two libraries have one importer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = ("search", "dashboards", "runners", "spaces")
"""From the top to the bottom: a layer imports itself and those after it."""

GROUPS = {
    "search": (
        ("__main__",),
        ("cli", "notebook"),
        ("commands",),
        ("explain",),
        ("driver",),
        ("samplers", "front", "request"),
        ("study",),
        ("objectives",),
        ("exit_codes", "package_guard", "stop_signals"),
    ),
    "runners": (
        ("executors", "chains"),
        ("stages", "load_testing"),
        ("artifacts",),
        ("serving",),
        ("measuring", "stage_keys"),
        ("training",),
        ("backends", "workload_loading"),
        ("quality",),
        ("workloads", "datasets", "lowering", "models"),
        ("store", "quantisers"),
        ("machine", "packing"),
        ("processes",),
        ("runner", "backend", "workload"),
        ("judged_network", "array_split", "dataset_split"),
        ("inputs", "judged_output", "metric", "held_out"),
    ),
}
"""The folders and files of a layer, from the top to the bottom: each imports itself and the rows below its own."""

DOORS = {"mlflow": "dashboards/tracking/tracker.py", "ray": "runners/executors/ray.py"}
"""Libraries that one file alone imports."""

SAY_NOTHING = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "core", "base", "lib"}
"""Names of files and folders that do not say what is in them."""


def sources(root: Path, folders: tuple[str, ...] = LAYERS) -> list[Path]:
    """Every Python file below ``folders``."""
    return sorted(file for folder in folders for file in (root / folder).rglob("*.py"))


def imported_names(file: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that ``file`` imports anywhere, inside functions and by string too."""
    package = file.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*start, *([node.module] if node.module else [])])
            yield node.lineno, origin
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _imports_by_string(node):
            assert isinstance(node.args[0], ast.Constant)
            yield node.lineno, str(node.args[0].value)


def _imports_by_string(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    literal = bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    return name in ("import_module", "__import__") and literal


def violations(root: Path) -> list[str]:
    """One line for each import against the rules below ``root``."""
    found = set()
    for file in sources(root):
        place = file.relative_to(root).as_posix()
        allowed = LAYERS[LAYERS.index(place.split("/")[0]) :]
        for line, name in imported_names(file, root):
            top = name.split(".")[0]
            if (top in LAYERS or top == "tests") and top not in allowed:
                found.add(f"{place}:{line} imports {top}, a higher layer")
            if problem := _against_the_groups(file.relative_to(root), name):
                found.add(f"{place}:{line} imports {problem}")
            if top in DOORS and place != DOORS[top]:
                found.add(f"{place}:{line} imports {top}, which only {DOORS[top]} may")
    return sorted(found)


def _rank(path: tuple[str, ...]) -> int | None:
    """The row of `GROUPS` in which a file or module stands, None for what no row names."""
    rows = GROUPS.get(path[0], ())
    return next((rank for rank, row in enumerate(rows) if len(path) > 1 and path[1] in row), None)


def _against_the_groups(place: Path, name: str) -> str | None:
    """What is wrong with the import of ``name`` in the file ``place`` inside one layer, or None."""
    own, other = place.with_suffix("").parts, tuple(name.split("."))
    if own[0] != other[0] or own[1] == (other[1] if len(other) > 1 else None):
        return None
    ranks = _rank(own), _rank(other)
    if None in ranks or ranks[0] < ranks[1]:  # type: ignore[operator]
        return None
    return f"{'.'.join(other[:2])}, which stands in the same row or above"


def nameless(root: Path) -> list[str]:
    """Files and folders whose name does not say what is in them."""
    paths = (file.relative_to(root) for file in sources(root, (*LAYERS, "tests")))
    return sorted({path.as_posix() for path in paths if {path.stem, *path.parent.parts} & SAY_NOTHING})


def test_knowledge_flows_one_way() -> None:
    assert violations(ROOT) == []


def test_every_file_and_folder_says_in_its_name_what_it_holds() -> None:
    assert nameless(ROOT) == []


def test_no_folder_has_more_than_twenty_files() -> None:
    folders = {file.parent for file in sources(ROOT)}
    files = {folder: [path for path in folder.glob("[!.]*") if path.is_file()] for folder in folders}
    assert {folder.name: len(found) for folder, found in files.items() if len(found) > 20} == {}


def test_every_layer_has_files_that_are_looked_at() -> None:
    places = {file.relative_to(ROOT).parts[0] for file in sources(ROOT)}
    assert places == set(LAYERS)


@pytest.mark.parametrize("layer", GROUPS)
def test_every_group_has_its_row(layer: str) -> None:
    places = {file.relative_to(ROOT / layer).with_suffix("").parts[0] for file in sources(ROOT, (layer,))}
    assert places - {"__init__"} == {group for row in GROUPS[layer] for group in row}


def test_the_doors_are_where_the_rule_says() -> None:
    for library, place in DOORS.items():
        assert library in {name.split(".")[0] for _, name in imported_names(ROOT / place, ROOT)}


def test_tests_are_no_packages_so_that_they_shadow_nothing() -> None:
    assert sorted((ROOT / "tests").rglob("__init__.py")) == []
    assert {folder.name for folder in (ROOT / "tests").iterdir()}.isdisjoint(LAYERS)


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("spaces/planted.py", "import runners.runner"),
        ("spaces/planted.py", "from search import cli"),
        ("spaces/deep/planted.py", "def later():\n    from dashboards import report\n"),
        ("spaces/planted.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import runners\n"),
        ("spaces/planted.py", "from importlib import import_module\nimport_module('runners.backend')\n"),
        ("runners/planted.py", "import dashboards.tracking.tracker as t"),
        ("runners/stages/planted.py", "from search.study.study import x"),
        ("runners/planted.py", "import tests.conftest"),
        ("dashboards/planted.py", "class A:\n    def f(self):\n        import search.cli\n"),
        ("search/planted.py", "import mlflow"),
        ("dashboards/ui.py", "def f():\n    import mlflow.tracking\n"),
        ("search/planted.py", "__import__('ray')"),
        ("runners/executors/local.py", "from ray.util import placement_group"),
    ],
)
def test_an_import_against_the_rules_is_found(tmp_path: Path, place: str, source: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(source)
    (found,) = violations(tmp_path)
    assert found.startswith(f"{place}:")


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("search/planted.py", "import dashboards, runners, spaces"),
        ("runners/stages/planted.py", "from . import chain\nfrom ..backend import Backend\nfrom spaces import plans"),
        ("dashboards/tracking/tracker.py", "import mlflow"),
        ("search/driver/planted.py", "from search.driver.runs import TrialRun\nfrom search.study import study"),
        ("runners/executors/planted.py", "from runners.runner import Runner\nimport runners"),
        ("runners/executors/ray.py", "def f():\n    import ray\n"),
        ("dashboards/ui.py", "import subprocess\nsubprocess.run(['mlflow', 'server'])"),
        ("spaces/planted.py", "text = 'import runners'\nimport rayleigh"),
    ],
)
def test_an_import_within_the_rules_is_let_through(tmp_path: Path, place: str, source: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path) == []


@pytest.mark.parametrize("place", ["runners/utils.py", "search/core/trial.py", "tests/runners_tests/helpers.py"])
def test_a_name_that_says_nothing_is_found(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert nameless(tmp_path) == [place]
