"""The page of faults says what was tried and what came of it, and knows every promise that a test names."""

from pathlib import Path

import pytest
from faults.page import PROMISES, FaultsPage

TESTS = """
import pytest

@pytest.mark.faults("two drivers")
def test_held(record_property):
    record_property("tried", 7)

@pytest.mark.faults("signal")
@pytest.mark.parametrize("good", [True, False])
def test_broken(good):
    assert good

@pytest.mark.faults("secret")
def test_skipped():
    pytest.skip("not here")
"""


def run(folder: Path, tests: str) -> tuple[int, str]:
    """The exit code of a session of its own with these tests, and its page."""
    (folder / f"test_{folder.name}.py").write_text(tests)  # a name that no other session of this process has
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = faults\n")
    page = folder / "build" / "faults.md"
    options = ["-q", "-p", "no:cacheprovider", "-c", str(folder / "pytest.ini"), str(folder)]
    code = pytest.main(options, [FaultsPage(page)])
    return int(code), page.read_text() if page.exists() else ""


def rows(page: str) -> dict[str, list[str]]:
    """The cells of the table by their promise."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return {row[0]: row[2:] for row in cells}


def test_each_promise_has_a_row_with_what_came_of_it(tmp_path: Path) -> None:
    code, page = run(tmp_path, TESTS)
    assert code == 1
    found = rows(page)
    assert found["two drivers"] == ["1", "7", "held"]
    assert found["signal"] == ["2", "1", "**broken in 1 tests**"]
    assert found["secret"] == ["1, 1 skipped", "0", "not tried"]
    assert set(PROMISES) <= set(found)
    assert "::test_broken[False]`" in page


def test_a_promise_that_there_is_none_of_stops_the_tests(tmp_path: Path) -> None:
    code, page = run(tmp_path, TESTS.replace("two drivers", "three drivers"))
    assert (code, page) == (pytest.ExitCode.USAGE_ERROR, "")
