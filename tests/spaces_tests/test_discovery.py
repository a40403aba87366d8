"""Each file of a folder is found, and a file that cannot be used is an error that names it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from spaces.discovery import walk
from spaces.errors import RequestError

GOOD = "from types import SimpleNamespace\nTHING = SimpleNamespace(name={name!r})\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package ``planted_things`` that is unloaded afterwards."""
    package = tmp_path / "planted_things"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "planted_things"]:
        del sys.modules[name]


def planted() -> ModuleType:
    return importlib.import_module("planted_things")


def test_every_file_is_found_in_the_order_of_the_file_names(folder: Path) -> None:
    (folder / "b.py").write_text(GOOD.format(name="first"))
    (folder / "a.py").write_text(GOOD.format(name="second"))
    assert list(walk(planted(), "THING")) == ["second", "first"]


def test_files_of_a_folder_inside_are_found_too(folder: Path) -> None:
    (folder / "b.py").write_text(GOOD.format(name="last"))
    (folder / "a").mkdir()
    (folder / "a" / "__init__.py").write_text("")
    (folder / "a" / "inside.py").write_text(GOOD.format(name="inside"))
    assert list(walk(planted(), "THING")) == ["inside", "last"]


def test_an_empty_folder_has_nothing_to_find(folder: Path) -> None:
    assert walk(planted(), "THING") == {}


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_file_that_fails_to_import_stops_with_its_name(folder: Path, source: str, word: str) -> None:
    (folder / "good.py").write_text(GOOD.format(name="good"))
    (folder / "bad.py").write_text(source)
    with pytest.raises(RequestError, match=r"planted_things\.bad fails to import") as stop:
        walk(planted(), "THING")
    assert word in str(stop.value)


def test_a_file_that_declares_nothing_stops_with_its_name(folder: Path) -> None:
    (folder / "silent.py").write_text("OTHER = 1\n")
    with pytest.raises(RequestError, match=r"planted_things\.silent defines no THING"):
        walk(planted(), "THING")


def test_a_declaration_without_a_name_stops_with_the_name_of_the_file(folder: Path) -> None:
    (folder / "nameless.py").write_text("THING = object()\n")
    with pytest.raises(RequestError, match=r"planted_things\.nameless declares a THING without a name"):
        walk(planted(), "THING")


def test_a_name_that_two_files_declare_stops_with_the_second(folder: Path) -> None:
    (folder / "a.py").write_text(GOOD.format(name="same"))
    (folder / "b.py").write_text(GOOD.format(name="same"))
    with pytest.raises(RequestError, match=r"planted_things\.b declares the name 'same'"):
        walk(planted(), "THING")
