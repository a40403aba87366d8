"""Sends what happens in a study to MLflow without making the study wait. The only file that imports MLflow.

MLflow is imported in the thread that sends, because the import takes more than a second.
"""

import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboards.figures.front_history import front_history
from dashboards.figures.front_points import front_points
from dashboards.tracking.artifact_locations import adopt_artifacts
from dashboards.tracking.mlflow_runs import StudyRuns
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.spool import Spool
from dashboards.tracking.spool_writer import SpoolWriter
from dashboards.tracking.sqlite_url import sqlite_url
from spaces.credentials import without_credentials

_FAIL_FAST = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


@dataclass(frozen=True)
class TrialResult:
    """What MLflow keeps of a trial.

    Attributes:
        trial: Number of the trial.
        configuration: All its choices.
        measurement: The measurement's JSON form; None where the trial ended before it was measured.
        failure: Why it failed, or None.
        stopped: Why it was stopped early, or None.
        hypervolume: Hypervolume of the front after it, or None where that is not known.
        seconds: How long it took.
        accuracies: The accuracy of its network on the validation split by the epochs trained.
        losses: The mean training loss of each epoch by the epochs trained with it.
        front_size: How many members the front has after it, or None where that is not known.
        metric: What an accuracy is, as `runners.metric.QualityMetric.to_json` gives it.
    """

    trial: int
    configuration: Mapping[str, Any]
    measurement: Mapping[str, Any] | None = None
    failure: str | None = None
    stopped: str | None = None
    hypervolume: float | None = None
    seconds: float = 0.0
    accuracies: Mapping[int, float] = field(default_factory=dict)
    losses: Mapping[int, float] = field(default_factory=dict)
    front_size: int | None = None
    metric: Mapping[str, Any] = field(default_factory=dict)


class Tracker:
    """Sends the records of a study to MLflow in a thread, in the order of the calls.

    Each method that reports something writes a record to disk and returns. Records that the thread could not send are
    sent by the next Tracker on the same spool.

    Args:
        location: The study's place in MLflow.
        spool_folder: The study's own folder for records.
        held: Whether nothing is sent before `flush`. To import MLflow and to make its database keeps a core busy for
            seconds, beside whatever is timed.
    """

    def __init__(self, location: RunLocation, spool_folder: Path, *, held: bool = False) -> None:
        self._location = location
        self._spool = Spool(spool_folder, without_credentials(location.tracking_uri))
        self._writer = SpoolWriter(self._spool, self._connect, held=held)

    @property
    def spool_folder(self) -> Path:
        """The folder in which records wait until MLflow has them."""
        return self._spool.folder

    def study_started(self, settings: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> None:
        """The study started, or was continued, with these settings.

        Args:
            settings: By name, plain JSON types; ``budgets`` are those that may change when it is continued.
            about: What else is known: the ``command``, the ``study_file`` as text, the ``environment``, and the
                ``data`` with ``name``, ``fingerprint``, ``source`` and the number of ``examples`` by split.
        """
        self._report("started", settings=settings, about=about or {})

    def trial_finished(self, result: TrialResult) -> None:
        """A trial ended."""
        self._report("trial", **vars(result))

    def front_changed(
        self,
        document: Mapping[str, Any],
        trials: Sequence[Mapping[str, Any]],
        course: Sequence[Mapping[str, Any]] = (),
        *,
        live: bool = False,
    ) -> None:
        """The front has other members, or they were measured again.

        Args:
            document: The front document.
            trials: All complete trials in the form of the front's members, for the figure.
            course: How the front advanced, as `search.front.course` gives it.
            live: Whether the search goes on, so that the figure may be left out where it was just drawn.
        """
        finals = [trial for trial in trials if trial.get("searched") is not None]
        points = front_points(document, trials).to_json()
        history = front_history(document, trials, course).to_json()
        self._report("front", document=document, points=points, history=history, finals=finals, live=live)

    def report_made(self, document: Mapping[str, Any]) -> None:
        """The report of the study is this document, which becomes a page in its run; a later one replaces it."""
        self._report("report", document=document)

    def study_ended(self, status: str) -> None:
        """The study ended: ``finished``, ``failed``, or anything else for one that can be continued."""
        self._report("ended", status=status)

    def flush(self, timeout_s: float) -> bool:
        """Wait up to ``timeout_s`` until MLflow has all records; whether it has."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Send records for up to ``timeout_s`` and stop; whether MLflow has all of them. May be called twice.

        A tracker that is still held sends none: the next one on the same spool does.
        """
        done = self._writer.close(timeout_s)
        self._spool.close()
        return done

    def run_ids(self) -> dict[int, str]:
        """MLflow's run id of each trial that was sent."""
        return dict(self._spool.sent.runs)

    def reported_trials(self) -> set[int]:
        """The trials that were reported on this spool, now or before: MLflow has them, or they wait to be sent."""
        waiting = {record["trial"] for record, _ in self._spool.unsent() if record.get("kind") == "trial"}
        return waiting | self._spool.sent.runs.keys()  # in this order: the thread sends meanwhile

    def _report(self, kind: str, **content: Any) -> None:
        self._spool.append({"kind": kind, "at_ms": int(1000 * time.time()), **content})
        self._writer.wake()

    def _connect(self) -> StudyRuns:
        adopt_home(self._location)
        mlflow = import_mlflow()
        _create_database(mlflow, self._location.tracking_uri)
        runs = StudyRuns(mlflow, self._location)
        if runs.parent is None and self._spool.sent.offset:
            self._spool.send_again()
        return runs


def adopt_home(location: RunLocation) -> None:
    """Let a database that lies in the home name the home's artifacts, wherever the home was before."""
    if location.artifact_root is not None and location.tracking_uri.startswith("sqlite"):
        from sqlalchemy import make_url

        database = make_url(location.tracking_uri).database
        if database:
            adopt_artifacts(Path(database), Path(location.artifact_root))


def _create_database(mlflow: Any, uri: str) -> None:
    """Make the file of an SQLite database whole or not at all.

    MLflow cannot go on with one that was half made when its process was ended.
    """
    from sqlalchemy import make_url

    database = make_url(uri).database if uri.startswith("sqlite") else None
    if not database or Path(database).exists():
        return
    path = Path(database)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        whole = Path(folder) / path.name
        mlflow.MlflowClient(tracking_uri=sqlite_url(whole)).search_experiments()
        try:
            os.link(whole, path)
        except FileExistsError:  # somebody else was faster
            return
        except OSError:  # a file system without links
            whole.replace(path)


def import_mlflow() -> Any:
    """MLflow, set up to fail fast where the server does not answer, and to print and report nothing."""
    for name, value in (_FAIL_FAST | _QUIET).items():
        os.environ.setdefault(name, value)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow
