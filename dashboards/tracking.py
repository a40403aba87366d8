"""Telling MLflow of a study without keeping the study waiting. The only file that imports MLflow.

MLflow is imported in the thread that sends, as that takes more than a second.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards.front_points import front_points
from dashboards.spool import Spool, read_run_ids
from dashboards.spool_writer import SpoolWriter
from dashboards.study_runs import StudyRuns
from dashboards.tracking_address import check_tracking_uri
from spaces.credentials import without_credentials
from spaces.errors import RequestError

__all__ = ["Tracker", "check_tracking_uri", "read_run_ids"]

_FAIL_FAST = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}


class Tracker:
    """Tells MLflow of a study, without ever keeping the study waiting.

    Every method that tells something puts a record on disk and returns. A thread sends the records; those that it
    could not send are sent by the next Tracker on the same spool.

    Args:
        study: The study's name, and its run's.
        experiment: The experiment that the run is in.
        tracking_uri: Where to, as MLflow takes it; see `check_tracking_uri`.
        artifact_root: Where a new experiment keeps its artifacts, a folder or a URI; None leaves it to the server.
        spool_folder: This study's own folder for records.
    """

    def __init__(
        self, study: str, experiment: str, tracking_uri: str, artifact_root: str | None, spool_folder: Path
    ) -> None:
        self._spool = Spool(spool_folder, without_credentials(tracking_uri))
        self._writer = SpoolWriter(self._spool, lambda: self._connect(study, experiment, tracking_uri, artifact_root))

    def study_started(self, settings: Mapping[str, Any]) -> None:
        """The study began, or goes on, with these settings."""
        self._tell("started", settings=settings)

    def trial_finished(
        self,
        number: int,
        configuration: Mapping[str, Any],
        measurement: Mapping[str, Any] | None,
        failure: str | None,
        hypervolume: float | None,
        seconds: float,
        stopped: str | None = None,
    ) -> None:
        """A trial ended.

        Args:
            number: The trial's number.
            configuration: All its choices.
            measurement: The measurement's JSON form; None where it failed or was stopped before it was measured.
            failure: Why it failed, or None.
            hypervolume: Of the front after it, or None where it is not known.
            seconds: How long it took.
            stopped: Why it was stopped before it was measured, or None.
        """
        self._tell(
            "trial",
            trial=number,
            configuration=dict(configuration),
            measurement=measurement,
            failure=failure,
            stopped=stopped,
            hypervolume=hypervolume,
            seconds=seconds,
        )

    def front_changed(self, document: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> None:
        """The front is another, or its members are measured anew.

        Args:
            document: The front document.
            trials: All complete trials in the form of the front's members, for the figure.
        """
        self._tell("front", document=document, points=front_points(document, trials).to_json())

    def study_ended(self, status: str) -> None:
        """The study ended: ``finished``, ``failed``, or anything else for one that can go on."""
        self._tell("ended", status=status)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is sent; whether it is, within the time."""
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Send what can be sent within the time, and stop; whether all is sent. May be called twice."""
        done = self._writer.close(timeout_s)
        self._spool.close()
        return done

    @property
    def spool_folder(self) -> Path:
        """The folder in which records wait until MLflow has them."""
        return self._spool.folder

    def run_ids(self) -> dict[int, str]:
        """MLflow's run id of every trial sent so far."""
        return dict(self._spool.sent.runs)

    def _tell(self, kind: str, **content: Any) -> None:
        self._spool.append({"kind": kind, "at_ms": int(1000 * time.time()), **content})
        self._writer.wake()

    def _connect(self, study: str, experiment: str, tracking_uri: str, artifact_root: str | None) -> StudyRuns:
        runs = StudyRuns(_import_mlflow(), study, experiment, tracking_uri, artifact_root)
        if runs.parent is None and self._spool.sent.offset:
            self._spool.send_anew()
        return runs


def register_model(tracking_uri: str, name: str, folder: Path, run_id: str | None) -> None:
    """Keep an exported folder with its trial's run, as a new version of the registered model ``name``.

    Raises:
        RequestError: The trial has no run there yet, or the registry refuses the name.
    """
    if run_id is None:
        raise RequestError(f"--register {name}: MLflow has no run of this trial yet; `frontrunner resume` sends it")
    mlflow = _import_mlflow()
    client = mlflow.MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    try:
        client.log_artifacts(run_id, str(folder), "exported")
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        client.create_model_version(name, source=f"runs:/{run_id}/exported", run_id=run_id)
    except mlflow.exceptions.MlflowException as error:
        raise RequestError(f"--register {name}: MLflow refused it ({str(error).splitlines()[0][:200]})") from error


def _import_mlflow() -> Any:
    """MLflow, told beforehand to be quick about a server that is away, and to keep to itself."""
    for name, value in (_FAIL_FAST | _QUIET).items():
        os.environ.setdefault(name, value)
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow
