"""The page of faults: each promise, how often it was tried, and what came of it; a plugin of pytest.

A test that injects a fault is marked with the promise that it tries: ``@pytest.mark.faults("driver killed")``. One that
tries it several times says how often: ``record_property("tried", 50)``. ``python -m pytest -m faults`` runs all,
the slow ones too, and writes the page ``build/faults.md``.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROMISES = {
    "driver killed": "The search is resumed: no finished trial is lost or counted twice, none stays running, and every "
    "process of the dead driver is gone within 10 s.",
    "worker died": "The stage is tried again, then fails with its reason; no process stays, and the search goes on.",
    "node lost": "The stages of a node that is gone are tried elsewhere.",
    "mlflow away": "The search goes on, and MLflow has every record afterwards, in order and once.",
    "database away": "The driver waits and says so; then it goes on, or stops and can be resumed.",
    "disk full": "A trial fails with the reason, or the search pauses; what was written before is whole.",
    "store damaged": "A damaged entry is set aside and computed again; nothing that was not put is ever read.",
    "torn write": "A file that was cut anywhere, and a clock that steps, lose and damage nothing else.",
    "two drivers": "The second is told, and harms nothing.",
    "signal": "The command ends within 10 s, can be resumed, and says what to type.",
    "hostile file": "No code runs, nothing outside is opened, memory is bounded, and one sentence says what is wrong.",
    "listening": "A search listens and connects on loopback alone, and asks for a token.",
    "secret": "A password is written and shown nowhere.",
}
PAGE = "build/faults.md"
"""Below the root of the tests."""


class FaultsPage:
    """Counts what came of the tests of each promise, and writes the page at the end."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._promises: dict[str, list[str]] = {}
        self._outcomes: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._tried: dict[str, int] = defaultdict(int)
        self._failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember the promises of each test.

        Raises:
            pytest.UsageError: A test is marked with a promise that there is none of.
        """
        for item in items:
            named = [name for mark in item.iter_markers("faults") for name in mark.args]
            if unknown := [name for name in named if name not in PROMISES]:
                raise pytest.UsageError(f"{item.nodeid}: there is no promise {unknown[0]!r} in {__file__}")
            if named:
                self._promises[item.nodeid] = named

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the outcome of a test: its call, or what kept it from being called."""
        if report.when != "call" and report.outcome == "passed":
            return
        for promise in self._promises.get(report.nodeid, ()):
            self._outcomes[promise][report.outcome] += 1
            if report.outcome == "passed":
                self._tried[promise] += int(dict(report.user_properties).get("tried", 1))
            elif report.outcome == "failed":
                self._failed.append(f"- {promise}: `{report.nodeid}`")

    def pytest_sessionfinish(self) -> None:
        """Write the page where tests of promises ran."""
        if self._outcomes:
            self._page.parent.mkdir(exist_ok=True)
            self._page.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield "# Faults and attacks: what was promised, how often it was tried, and what came of it\n"
        yield "| fault | promise | tests | times tried | result |"
        yield "|---|---|---|---|---|"
        for name, promise in PROMISES.items():
            found = self._outcomes[name]
            held = "not tried" if not found["passed"] else "held"
            result = f"**broken in {found['failed']} tests**" if found["failed"] else held
            skipped = f", {found['skipped']} skipped" if found["skipped"] else ""
            yield f"| {name} | {promise} | {sum(found.values())}{skipped} | {self._tried[name]} | {result} |"
        if self._failed:
            yield "\nBroken:\n"
            yield from self._failed


def register(config: Any) -> None:
    """Let the page be written where the tests of promises are asked for by name."""
    if "faults" in config.option.markexpr.replace("not faults", ""):
        config.pluginmanager.register(FaultsPage(config.rootpath / PAGE), "faults-page")
