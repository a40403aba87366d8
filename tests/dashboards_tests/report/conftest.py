"""A report document: the front document with all its trials, how the search went, and what mattered."""

from typing import Any

import pytest
from dashboards_tests.small_study import make_report


@pytest.fixture
def report(document: dict[str, Any], trials: list[dict[str, Any]]) -> dict[str, Any]:
    """The study of the other fixtures with one trial that was stopped and one that failed."""
    return make_report(document, trials)
