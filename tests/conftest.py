"""What every test relies on: this checkout's packages, nobody's settings, and no word to the outside."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from search_tests.whole_search import Searched

ROOT = Path(__file__).resolve().parent.parent

# Support modules beside the tests are imported as `spaces_tests.environments`; the end of the path, so that
# nothing in here can shadow an installed package.
sys.path.append(str(ROOT / "tests"))
pytest.register_assert_rewrite("spaces_tests.technique_contract")

# Set before any test imports the libraries, and inherited by the processes that tests start.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

LOCATIONS = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "OPTUNA_STORAGE", "RAY_ADDRESS")
"""Variables that say where a search keeps its files and where it runs."""


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once where the packages under test are not the ones in this checkout."""
    from faults.page import register

    register(config)
    from search.package_guard import check_packages

    where = Path(sys.modules["search"].__path__[0]).resolve()
    problem = check_packages()
    if problem or where != ROOT / "search":
        pytest.exit(problem or f"the tests would run on {where}; install this checkout: pip install -e '.[test]'", 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the whole search: they are the longest, and one process makes the search for all."""
    items.sort(key=lambda item: "searched" not in getattr(item, "fixturenames", ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests looked at pages in a browser: where there is none, they are skipped."""
    ran, skipped = (
        sum("/browser/" in report.nodeid for outcome in outcomes for report in terminalreporter.getreports(outcome))
        for outcomes in (("passed", "failed"), ("skipped",))
    )
    terminalreporter.write_line(f"browser tests: {ran} ran, {skipped} skipped")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("FRONTRUNNER_") or name in LOCATIONS:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _denormal_numbers_as_usual() -> Iterator[None]:
    """Undo what opening a model in the process of the tests does to denormal numbers, which others rely on."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> "Searched":
    """The one whole search that several tests read."""
    from search_tests.whole_search import search_once

    return search_once(tmp_path_factory.mktemp("searched"))


@pytest.fixture(scope="session")
def exported(searched: "Searched") -> Path:
    """The exported folder of a trial of the whole search."""
    from search_tests.whole_search import export_once

    return export_once(searched)
