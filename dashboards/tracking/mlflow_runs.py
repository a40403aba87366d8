"""The runs of one study in MLflow: one for the study, and a nested run for each trial."""

import getpass
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dashboards.baseline_text import baseline_text, runtime_alone_text
from dashboards.figures.front_points import FrontPoints
from dashboards.front_rows import front_csv, front_rows
from dashboards.headline import headline
from dashboards.report.front_page import figure_html
from dashboards.tracking.spool import Record
from dashboards.tracking.spool_writer import Refused

_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_LONGEST_TAG = 5000  # MLflow takes 8000, older servers 5000


@dataclass(frozen=True)
class RunLocation:
    """The place of a study's runs in MLflow.

    Attributes:
        study: Name of the study, which is also the name of its run.
        experiment: Name of the experiment; it is created where it is missing.
        tracking_uri: MLflow's tracking URI; see `dashboards.tracking.tracking_address.check_tracking_uri`.
        artifact_root: Folder or URI in which a new experiment keeps its artifacts; None leaves it to the server.
    """

    study: str
    experiment: str
    tracking_uri: str
    artifact_root: str | None = None


def metrics_of(measurement: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The finite numbers of a measurement by metric name; ``NAME_ci95`` becomes ``NAME_low`` and ``NAME_high``."""
    found: dict[str, Any] = {}
    for name, value in measurement.items():
        if name.endswith("_ci95") and value:
            found |= zip((name.replace("_ci95", "_low"), name.replace("_ci95", "_high")), value, strict=True)
        else:
            found[name] = value
    return {prefix + name: float(value) for name, value in found.items() if _is_finite(value)}


class StudyRuns:
    """Writes the records of a study into its runs; writing a record again changes nothing.

    Runs are found in MLflow by their tags, so that a run that was created before a crash is not created again.

    Args:
        mlflow: The module ``mlflow``, which is not imported here.
        location: Where the runs are.

    Raises:
        Exception: MLflow cannot be reached.
    """

    def __init__(self, mlflow: Any, location: RunLocation) -> None:
        self._mlflow = mlflow
        uri, study = location.tracking_uri, location.study
        self._client = self._mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._study = study
        self._experiment_id = self._find_experiment(location)
        studies = self._search("frontrunner.kind", "study")  # a query cannot hold every name, so the name is not in it
        found = [run.info.run_id for run in studies if run.data.tags["frontrunner.study"] == study]
        self.parent: str | None = found[0] if found else None
        children = self._search("mlflow.parentRunId", self.parent) if self.parent else []
        tagged = [(int(run.data.tags["frontrunner.trial"]), run) for run in children if _has_trial(run)]
        self.runs: dict[int, str] = {trial: run.info.run_id for trial, run in tagged}
        self._on_front = {trial for trial, run in tagged if run.data.tags.get("pareto") == "true"}

    def take(self, record: Record, superseded: bool) -> None:
        """Write one record into its runs.

        Raises:
            Refused: MLflow answers and rejects the record.
        """
        try:
            if record["kind"] == "started":
                self._started(record)
            elif record["kind"] == "trial":
                self._trial(record)
            elif record["kind"] == "front":
                self._front(record, superseded)
            elif record["kind"] == "ended":
                self._client.set_tag(self._study_run(record), "frontrunner.status", record["status"])
                status = _STATUS.get(record["status"], "KILLED")
                self._client.set_terminated(self._study_run(record), status, record["at_ms"])
        except self._mlflow.MlflowException as error:
            code: int = error.get_http_status_code()
            if 400 <= code < 500 and code not in (401, 403, 408, 429):
                raise Refused(str(error)) from error
            raise
        except OSError:  # a connection's; some of these are a ValueError too
            raise
        except (LookupError, TypeError, ValueError, ImportError) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error

    def _started(self, record: Record) -> None:
        run_id = self._study_run(record)
        self._client.update_run(run_id, status="RUNNING")
        new = self._unknown(run_id, record["settings"])  # settings.json has the latest
        self._log(run_id, record, params=new, tags={"frontrunner.status": "running"})
        self._client.log_dict(run_id, record["settings"], "settings.json")

    def _trial(self, record: Record) -> None:
        number, measurement, failure = record["trial"], record["measurement"] or {}, record["failure"]
        run_id = self._trial_run(record)
        metrics = metrics_of(measurement) | {"trial_seconds": record["seconds"]}
        tags = {"failure": failure, "stopped": record.get("stopped"), "unstable": measurement.get("unstable")}
        tags["machine"] = json.dumps(measurement["machine"]) if measurement.get("machine") else None
        self._log(run_id, record, metrics, record["configuration"], {name: text for name, text in tags.items() if text})
        if number == 0 and measurement:
            self._baseline(record, record)
        status = "FAILED" if failure else "FINISHED" if measurement else "KILLED"
        self._client.set_terminated(run_id, status, record["at_ms"])
        if record["hypervolume"] is not None:
            self._log(self._study_run(record), record, {"hypervolume": record["hypervolume"]}, step=number)

    def _baseline(self, record: Record, baseline: Mapping[str, Any]) -> None:
        """Say in the study's run what all is compared with."""
        run_id = self._study_run(record)
        threads = self._unknown(run_id, {"baseline_threads": baseline["configuration"].get("threads", 1)})
        self._log(run_id, record, params=threads, tags={"baseline": baseline_text(baseline)})

    def _unknown(self, run_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``params`` that the run does not have yet: MLflow refuses a parameter that changes."""
        known = self._client.get_run(run_id).data.params
        return {name: value for name, value in params.items() if name not in known}

    def _front(self, record: Record, superseded: bool) -> None:
        document = record["document"]
        members = {member["trial"]: member for member in document["front"]}
        for member in [document["baseline"], *document["front"]]:
            measured_again = member and member.get("searched") is not None
            if member and (measured_again or member["measurement"].get("accuracy_test") is not None):
                self._final(record, member["trial"], member["measurement"])
        if superseded:  # the page of this front would be overwritten at once
            return
        for trial in sorted(self._on_front | set(members)):
            if trial in self.runs:
                self._client.set_tag(self.runs[trial], "pareto", "true" if trial in members else "false")
        self._on_front = set(members)
        if document["baseline"]:
            self._baseline(record, document["baseline"])
        if alone := document.get("runtime_alone"):
            speedup, text = {"runtime_alone_speedup": alone["measurement"]["speedup"]}, runtime_alone_text(document)
            self._log(self._study_run(record), record, speedup, tags={"runtime_alone": text})
        self._log_front(self._study_run(record), document, FrontPoints.from_json(record["points"]))

    def _final(self, record: Record, trial: int, measurement: Mapping[str, Any]) -> None:
        """Add the final measurement to a trial's run."""
        if trial in self.runs:
            again = {name: value for name, value in measurement.items() if name != "accuracy_test"}
            tested = metrics_of({"accuracy_test": measurement.get("accuracy_test")})
            final = {**tested, **metrics_of(again, "final_")}
            self._log(self.runs[trial], record, final)

    def _log_front(self, run_id: str, document: Mapping[str, Any], points: FrontPoints) -> None:
        """Write the front as description, table, JSON and page; ``log_table`` would append to the previous table."""
        rows = front_rows(document)
        table = {"columns": list(rows[0]) if rows else [], "data": [list(row.values()) for row in rows]}
        self._client.log_dict(run_id, dict(document), "front.json")
        self._client.log_text(run_id, front_csv(document), "front.csv")
        self._client.log_dict(run_id, table, "front_table.json")
        self._client.log_text(run_id, figure_html(points), "front.html")
        logged = [{"path": "front_table.json", "type": "table"}]
        self._client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps(logged))
        self._client.set_tag(run_id, "mlflow.note.content", headline(document))

    def _study_run(self, record: Record) -> str:
        if self.parent is None:
            tags = {"frontrunner.kind": "study"}
            self.parent = self._create(self._study, record["at_ms"], tags)
        return self.parent

    def _trial_run(self, record: Record) -> str:
        number = record["trial"]
        if number not in self.runs:
            tags = {"frontrunner.trial": str(number), "mlflow.parentRunId": self._study_run(record)}
            start_ms = record["at_ms"] - int(1000 * record["seconds"])
            self.runs[number] = self._create(f"trial {number}", start_ms, tags)
        return self.runs[number]

    def _create(self, name: str, start_ms: int, tags: Mapping[str, str]) -> str:
        """Create a run with the tags by which it is found again."""
        source = {"mlflow.source.name": "frontrunner", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        tags = {"frontrunner.study": self._study, **source, **tags}
        return str(self._client.create_run(self._experiment_id, start_ms, tags, name).info.run_id)

    def _log(
        self,
        run_id: str,
        record: Record,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> None:
        """Log at the record's own time, so that a record that is written again adds no second point to a metric."""
        entities = self._mlflow.entities
        self._client.log_batch(
            run_id,
            [entities.Metric(n, v, record["at_ms"], step) for n, v in (metrics or {}).items() if _is_finite(v)],
            [entities.Param(name, _text(value)) for name, value in (params or {}).items()],
            [entities.RunTag(name, text[:_LONGEST_TAG]) for name, text in (tags or {}).items()],
        )

    def _find_experiment(self, location: RunLocation) -> str:
        name = location.experiment
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            return str(self._client.create_experiment(name, _artifact_location(name, location.artifact_root)))
        if experiment.lifecycle_stage != "active":
            self._client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

    def _search(self, tag: str, value: str) -> list[Any]:
        """The experiment's runs that have this tag and are not deleted, the oldest first."""
        query, order = f"tags.`{tag}` = '{value}'", ["attributes.start_time ASC"]
        found: list[Any] = []
        token: str | None = None
        while token is None or token:
            page = self._client.search_runs(
                [self._experiment_id], query, max_results=1000, order_by=order, page_token=token
            )
            found += page
            token = page.token or ""
        return found


def _artifact_location(experiment: str, root: str | None) -> str | None:
    if root is None:
        return None
    base = root.rstrip("/") if len(urlsplit(root).scheme) > 1 else Path(root).resolve().as_uri()
    return f"{base}/{re.sub('[^A-Za-z0-9._-]', '_', experiment)}"


def _has_trial(run: Any) -> bool:
    return str(run.data.tags.get("frontrunner.trial", "")).isdecimal()


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as in some containers
        return "unknown"
