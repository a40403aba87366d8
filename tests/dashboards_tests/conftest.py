"""A small study with a known front, and an MLflow database that is created once and copied."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dashboards_tests.small_study import make_document, make_member, make_trials

Member = Callable[..., dict[str, Any]]


@pytest.fixture
def member() -> Member:
    """`make_member`, for tests that need other members."""
    return make_member


@pytest.fixture
def document() -> dict[str, Any]:
    """The front document of that study."""
    return make_document()


@pytest.fixture
def trials(document: dict[str, Any]) -> list[dict[str, Any]]:
    """All complete trials of that study."""
    return make_trials(document)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; creating one takes seconds."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Path:
    """A home folder with an MLflow database, and with a blank in its name."""
    folder = tmp_path / "my home"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder
