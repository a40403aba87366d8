"""Verification in a moment, beside whatever else this machine measures."""

from pathlib import Path

import pytest

from runners.artifacts import verification


def shorten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let folders be timed for a tenth of a second in one process, under leases of the test's own."""
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    for budget in ("VERIFY_S", "EXPORT_S"):
        monkeypatch.setattr(verification, budget, 0.1)
    monkeypatch.setattr(verification, "PROCESSES", 1)
