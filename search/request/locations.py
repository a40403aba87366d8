"""Where a search keeps what it has and where it runs: one folder, each part of which can be a URL instead."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.study.study_lock import file_held
from spaces.errors import RequestError

DEFAULT = "frontrunner-home"


@dataclass(frozen=True)
class Home:
    """The folder of ``--home``, ``FRONTRUNNER_HOME``, or ``./frontrunner-home``."""

    path: Path

    @classmethod
    def find(cls, given: str | Path | None) -> "Home":
        """The home that was asked for; nothing is made yet."""
        return cls(Path(given or os.environ.get("FRONTRUNNER_HOME") or DEFAULT).expanduser().absolute())

    def make(self) -> None:
        """Make its folders.

        Raises:
            RequestError: It cannot be written.
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
        """URL of the embedded Optuna storage."""
        return f"sqlite:///{self.path / 'studies.db'}"

    @property
    def tracking(self) -> str:
        """URI of the embedded MLflow store."""
        return f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where MLflow keeps artifacts."""
        return self.path / "mlartifacts"

    @property
    def stages(self) -> Path:
        """The stage store."""
        return self.path / "stages"

    def spool(self, study: str) -> Path:
        """Where the records of ``study`` wait for the tracking server."""
        return self.path / "spool" / study

    def require_storage(self) -> None:
        """Raise `RequestError` where no search has run in this home yet."""
        if not (self.path / "studies.db").exists():
            raise RequestError(
                f"--home {self.path}: no search has run there yet; run `frontrunner search` or name another"
            )

    def driving(self, study: str) -> AbstractContextManager[None]:
        """Hold ``study``, with its records on their way to MLflow, for this process alone until it ends or dies.

        Raises:
            RequestError: On entering: another process runs it.
        """
        return file_held(self.path / "locks" / f"{study}.lock", study)


@dataclass(frozen=True)
class Places:
    """The places of a search, with every default settled."""

    home: Home
    storage: str
    tracking: str
    stages: str
    address: str | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Places":
        """From the flags ``home``, ``storage``, ``tracking_uri``, ``stage_store`` and ``address``."""
        home = Home.find(given.get("home"))
        return cls(
            home,
            given.get("storage") or home.storage,
            given.get("tracking_uri") or home.tracking,
            str(given.get("stage_store") or home.stages),
            given.get("address"),
        )

    def to_json(self) -> dict[str, str]:
        """What a study that goes on needs to know."""
        return {"tracking": self.tracking, "stages": self.stages, "home": str(self.home.path)}
