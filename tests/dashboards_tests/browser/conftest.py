"""MLflow's real pages of a small study in a headless browser, which all tests here share.

Skipped where no Chromium is installed. The screenshot of a test that fails is kept, and its path is printed.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dashboards_tests.small_study import make_document, make_report, make_trials

from dashboards import guarded_server
from dashboards.report.report_html import report_html
from dashboards.study_page import study_page
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.report_file import log_report
from dashboards.tracking.tracker import Tracker, TrialResult
from dashboards.ui import command, free_port
from spaces.errors import RequestError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ODD_NAME = "a 'quoted' \U0001f680 <script>document.title='run'</script>"
"""A name that a person may give to a workload."""
_PATIENCE_MS = 60_000
"""A busy machine takes long to draw a page."""
_failed: dict[str, bool] = {}


@dataclass(frozen=True)
class Served:
    """A server with two experiments: ``digits``, and one with an odd name."""

    address: str
    study: str


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    if Path(__file__).parent in item.path.parents and (report.when == "call" or report.skipped):
        _failed[item.nodeid] = report.failed
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser is installed ({', '.join(PROGRAMS)})")
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=_PATIENCE_MS)
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])  # root may start no sandbox
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(browser: Any, tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Served]:
    """The server; after ``browser``, as without one nothing is started."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(empty_database, home / "mlflow.db")
    _write_study(home, "digits")
    _write_study(home, ODD_NAME)
    port = free_port(5200)
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryFile() as output:
        server = guarded_server.start(command(home, port), environment, output)
        try:
            yield _when_it_answers(f"http://127.0.0.1:{port}")
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(30)


def _write_study(home: Path, workload: str) -> None:
    document, uri = make_document() | {"workload": workload}, f"sqlite:///{home / 'mlflow.db'}"
    name = f"study-of-{len(list(home.glob('spool/*')))}"
    location = RunLocation(name, workload, uri, str(home / "mlartifacts"))
    tracker, trials = Tracker(location, home / "spool" / name), make_trials(document)
    data = {"name": "digits", "fingerprint": "a" * 64, "source": workload, "examples": {"train": 90, "validation": 9}}
    tracker.study_started({"seed": 0, "workload": workload}, {"data": data, "study_file": "workload: digits\n"})
    for step, trial in enumerate(trials):
        curve = {1: 0.5, 2: 0.8, 4: 0.9}
        result = TrialResult(trial["trial"], trial["configuration"], trial["measurement"], hypervolume=0.1 * step)
        tracker.trial_finished(TrialResult(**{**vars(result), "accuracies": curve}))
    tracker.trial_finished(TrialResult(20, {"runtime": "openvino"}, failure="<script>document.title='x'</script>"))
    tracker.front_changed(document, trials)
    tracker.study_ended("finished")
    assert tracker.close(60)
    report = make_report(document, trials)
    log_report(location, report_html(report), report)


def _when_it_answers(address: str) -> Served:
    for _ in range(400):
        try:
            return Served(address, study_page(address, "study-of-0"))
        except (OSError, RequestError):
            time.sleep(0.3)
    raise AssertionError(f"the server at {address} does not answer")


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A page of its own, whose errors of pages that are ours fail the test."""
    context = browser.new_context(viewport={"width": 2000, "height": 1000})
    found = context.new_page()
    found.set_default_timeout(_PATIENCE_MS)
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on("console", lambda said: errors.append(said.text) if said.type == "error" and _is_ours(said) else None)
    yield found
    if _failed.get(request.node.nodeid, True):
        picture = tmp_path / "screenshot.png"
        found.screenshot(path=picture)
        print(f"screenshot: {picture}", file=sys.stderr)
    context.close()
    assert errors == []


def _is_ours(said: Any) -> bool:
    """Whether a message is of a page that Frontrunner wrote: MLflow's own pages have files of their own."""
    url = said.location.get("url", "")
    return "static-files" not in url and "ajax-api" not in url
