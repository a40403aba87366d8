"""A module beside a workload that has the name of one of our packages is refused before anything runs."""

from pathlib import Path

import pytest

from runners.executors.inspection import inspect_on_this_machine
from runners.workload_loading.taken_names import refuse_taken_names
from spaces.errors import RequestError


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("name", ["search", "runners", "spaces", "dashboards"])
@pytest.mark.parametrize(
    "text", ["from {} import make_network", "import {}", "from {}.layers import Net", "import layers"]
)
def test_a_neighbour_with_the_name_of_ours_is_refused(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, "def make_network(): pass", f"{name}.py")
    write(tmp_path, f"from {name} import make_network", "layers.py")
    with pytest.raises(RequestError, match=rf"imports {name}.* from .*/{name}\.py, but {name} is also .* another name"):
        refuse_taken_names(write(tmp_path, text.format(name)) + ":WORKLOAD")


def test_a_package_with_the_name_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    write(tmp_path / "search", "", "__init__.py")
    with pytest.raises(RequestError, match=r"mine\.py imports search\.layers\.Net from .*/search/__init__\.py"):
        refuse_taken_names(write(tmp_path, "from search.layers import Net"))


def test_a_module_of_the_current_folder_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "x = 1", "search.py")
    write(tmp_path, "from search import x", "in_current_folder.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"in_current_folder\.py imports search\.x"):
        refuse_taken_names("in_current_folder:WORKLOAD")


def test_a_neighbour_that_the_workload_does_not_import_is_no_matter(tmp_path: Path) -> None:
    write(tmp_path, "x = 1", "spaces.py")
    refuse_taken_names(write(tmp_path, "from spaces.plans import TrainingPlan\nimport spaces.errors\n"))
    refuse_taken_names("digits")


def test_it_is_found_before_the_file_is_run(tmp_path: Path) -> None:
    write(tmp_path, "x = 1", "search.py")
    with pytest.raises(RequestError, match="give it another name"):
        inspect_on_this_machine(write(tmp_path, "from search import x\nraise SystemExit"))


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"reading .*mine\.py failed at .*/mine\.py:1: SyntaxError"):
        refuse_taken_names(write(tmp_path, "def f(:"))
