"""Where a search keeps its files and where it runs: one home folder, any part of which can be a URL instead."""

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from dashboards.tracking.sqlite_url import sqlite_url
from search.study.study_lock import lock_file
from spaces.errors import RequestError
from spaces.given_path import given_path
from spaces.setting_error import SettingError

DEFAULT = "frontrunner-home"
VARIABLES = {"storage": "OPTUNA_STORAGE", "tracking_uri": "MLFLOW_TRACKING_URI", "address": "RAY_ADDRESS"}
"""Environment variables of Optuna, MLflow and Ray that give a location where no option and no study file does."""


@dataclass(frozen=True)
class Home:
    """The folder of ``--home``, ``FRONTRUNNER_HOME``, or ``./frontrunner-home``."""

    path: Path

    @classmethod
    def find(cls, given: str | Path | None) -> "Home":
        """The home folder that ``given`` names, or the default one; nothing is created.

        Raises:
            RequestError: Nothing can have that name, or ``~NAME`` in front of it names nobody.
        """
        path = Path(given or os.environ.get("FRONTRUNNER_HOME") or DEFAULT)
        try:
            given_path(path, Path.cwd())
        except SettingError as error:
            raise RequestError(f"--home {path}: {error}") from error
        return cls(path.expanduser().absolute())

    def make(self) -> None:
        """Create the folders of the home.

        Raises:
            RequestError: The home cannot be written.
        """
        try:
            for folder in (self.path, self.stages, self.path / "spool", self.path / "locks", self.artifacts):
                folder.mkdir(parents=True, exist_ok=True)
            (self.path / "locks" / "writable").touch()
        except OSError as error:
            raise RequestError(
                f"--home {self.path}: cannot be written ({error.strerror}); name a folder that you may write"
            ) from error

    @property
    def storage(self) -> str:
        """URL of the Optuna storage in this home."""
        return sqlite_url(self.path / "studies.db")

    @property
    def tracking(self) -> str:
        """URI of the MLflow database in this home."""
        return sqlite_url(self.path / "mlflow.db")

    @property
    def artifacts(self) -> Path:
        """The folder in which MLflow keeps artifacts."""
        return self.path / "mlartifacts"

    @property
    def stages(self) -> Path:
        """The folder of the stage store."""
        return self.path / "stages"

    @property
    def exports(self) -> Path:
        """The folder of notes on what this home exported."""
        return self.path / "exports"

    def spool(self, study: str) -> Path:
        """The folder in which the records of ``study`` wait until MLflow has them."""
        return self.path / "spool" / study

    def require_storage(self) -> None:
        """Raise `RequestError` where no search has run in this home yet."""
        if not (self.path / "studies.db").exists():
            raise RequestError(
                f"--home {self.path}: no search has run there yet; run `frontrunner search` or name another"
            )

    def lock(self, study: str) -> AbstractContextManager[None]:
        """Lock the files that this home keeps of ``study``; the lock ends with the block or with the process.

        Raises:
            RequestError: On entering: another process runs the study.
        """
        return lock_file(self.path / "locks" / f"{study}.lock", study)


@dataclass(frozen=True)
class Locations:
    """The locations of a search as they were given; None is the default, which lies in the home folder.

    Attributes:
        home: The home folder.
        storage: URL of the database that keeps the study.
        tracking_uri: Where MLflow keeps its runs.
        stage_store: Folder or URL that keeps the results of stages.
        address: Ray cluster to run on; None is an instance on this machine.
        measure_on: The nodes of that cluster on which is measured; None is any.
        train_with: What each worker that trains asks of its node; None is what the search would ask for.
    """

    home: Path | str | None = None
    storage: str | None = None
    tracking_uri: str | None = None
    stage_store: str | None = None
    address: str | None = None
    measure_on: str | None = None
    train_with: str | None = None

    @property
    def folder(self) -> Home:
        """The home folder, given or by default."""
        return Home.find(self.home)

    @property
    def studies(self) -> str:
        """URL of the database that keeps the study, given or by default."""
        return self.storage or self.folder.storage

    @property
    def tracking(self) -> str:
        """MLflow's tracking URI, given or by default."""
        return self.tracking_uri or self.folder.tracking

    @property
    def stages(self) -> str:
        """Folder or URL of the stage store, given or by default."""
        return self.stage_store or str(self.folder.stages)

    def given(self) -> dict[str, str]:
        """The locations that are not None, as text, by their names."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}

    def with_environment(self) -> "Locations":
        """These locations, and those of `VARIABLES` that are not given otherwise; relative paths start here."""
        found = {name: value for name in VARIABLES if getattr(self, name) is None and (value := from_environment(name))}
        return replace(self, **found)


def from_environment(name: str) -> str | None:
    """The location that a variable of `VARIABLES` gives, its path absolute; None where it gives none."""
    value = os.environ.get(VARIABLES[name], "").strip()
    if name == "address":
        return None if value in ("", "local") else value
    return absolute_url(value, Path.cwd()) or None


def absolute_url(given: str, base: Path) -> str:
    """A URL of SQLite with its path made absolute; any other text as it is.

    Args:
        given: Any URL.
        base: The folder from which a relative path starts.
    """
    relative = re.fullmatch(r"sqlite(?:\+pysqlite)?:///(?!/|:memory:|file:)(.+)", given)
    if not relative:
        return given
    from sqlalchemy import make_url

    url = make_url(given)
    found = sqlite_url((base / (url.database or relative[1])).resolve())
    _, question, query = given.partition("?")
    return found + question + query
