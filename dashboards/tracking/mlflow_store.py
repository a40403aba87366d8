"""What is asked of MLflow: runs that are found again, and batches that may be written twice."""

import getpass
import json
import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dashboards.tracking.experiment_page import SHARED_VIEWS, description, shared_view

_LONGEST_TAG = 5000  # MLflow takes 8000, older servers 5000
_CONTEXT = "mlflow.data.context"
Curve = Mapping[int, float]
"""Values of a metric by step."""


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


class MlflowStore:
    """One experiment in MLflow, written by few calls; each may be made again and changes nothing then.

    Args:
        mlflow: The module ``mlflow``, which is not imported here.
        location: Where the runs are.

    Raises:
        Exception: MLflow cannot be reached.
    """

    def __init__(self, mlflow: Any, location: RunLocation) -> None:
        uri = location.tracking_uri
        self._entities = mlflow.entities
        self.client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.experiment_id = self._find_experiment(location)

    def create(self, name: str, start_ms: int, tags: Mapping[str, str]) -> str:
        """The id of a new run that has the ``tags`` by which it is found again."""
        source = {"mlflow.source.name": "frontrunner", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        run = self.client.create_run(self.experiment_id, start_ms, {**source, **tags}, name)
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        at_ms: int,
        metrics: Mapping[str, float | Curve] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> None:
        """Log at the time ``at_ms``, so that what is written again adds no second point to a metric.

        Args:
            run_id: The run.
            at_ms: Milliseconds since 1970.
            metrics: Numbers, each at ``step``, or by step; those that are not finite are left out.
            params: What is not text is written as JSON.
            tags: Cut where they are longer than servers take.
            step: The step of all numbers.
        """
        curves = {n: value if isinstance(value, Mapping) else {step: value} for n, value in (metrics or {}).items()}
        points = [(name, at, value) for name, curve in curves.items() for at, value in curve.items()]
        self.client.log_batch(
            run_id,
            [self._entities.Metric(name, value, at_ms, at) for name, at, value in points if is_finite(value)],
            [self._entities.Param(name, as_text(value)) for name, value in (params or {}).items()],
            [self._entities.RunTag(name, text[:_LONGEST_TAG]) for name, text in (tags or {}).items()],
        )

    def log_files(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Write files of a run by their names: side by side, as a server can be far away.

        Metrics are not sent side by side: a server on SQLite takes many times as long for them then.
        """
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max(1, len(files))) as threads:
            sent = []
            for name, content in files.items():
                file = Path(folder) / name
                file.write_bytes(content)
                sent.append(threads.submit(self.client.log_artifact, run_id, str(file)))
            for one in sent:
                one.result()

    def remove_tag(self, run_id: str, name: str) -> None:
        """Remove a tag that the run has."""
        self.client.delete_tag(run_id, name)

    def datasets(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The splits of a workload's data as MLflow's datasets, by split.

        Args:
            data: ``name``, ``fingerprint``, ``source`` as JSON types, and ``examples`` of each split.
        """
        return {
            split: self._entities.DatasetInput(
                self._entities.Dataset(
                    name=data["name"],
                    digest=f"{data['fingerprint'][:12]}-{split}",
                    source_type="code",
                    source=json.dumps({"tags": {"workload": as_text(data["source"]), "split": split}}),
                    profile=json.dumps({"num_rows": examples}),
                ),
                [self._entities.InputTag(_CONTEXT, split)],
            )
            for split, examples in data.get("examples", {}).items()
        }

    def log_datasets(self, run_id: str, datasets: Sequence[Any]) -> None:
        """Log some of `datasets` as those that a run uses."""
        if datasets:
            self.client.log_inputs(run_id, list(datasets))

    def search(self, tag: str, value: str) -> list[Any]:
        """The experiment's runs that have this tag and are not deleted, the oldest first."""
        query, order = f"tags.`{tag}` = '{value}'", ["attributes.start_time ASC"]
        found: list[Any] = []
        token: str | None = None
        while token is None or token:
            page = self.client.search_runs(
                [self.experiment_id], query, max_results=1000, order_by=order, page_token=token
            )
            found += page
            token = page.token or ""
        return found

    def _find_experiment(self, location: RunLocation) -> str:
        """The experiment's id; one without a description or our views of its runs gets them."""
        name = location.experiment
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            found = str(self.client.create_experiment(name, _artifact_location(name, location.artifact_root)))
        else:
            found = str(experiment.experiment_id)
            if experiment.lifecycle_stage != "active":
                self.client.restore_experiment(found)
        known = dict(experiment.tags) if experiment else {}
        wanted = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": description(name),
            **{f"mlflow.sharedViewState.{key}": shared_view(view) for key, view in SHARED_VIEWS.items()},
        }
        for tag, text in wanted.items():
            if tag not in known:  # a person's own words stay
                self.client.set_experiment_tag(found, tag, text)
        return found


def datasets_of(run: Any) -> dict[str, Any]:
    """The `MlflowStore.datasets` that were logged with ``run``, by split."""
    logged = run.inputs.dataset_inputs if run.inputs else ()
    return {tag.value: one for one in logged for tag in one.tags if tag.key == _CONTEXT}


def is_finite(value: Any) -> bool:
    """Whether ``value`` is a number that MLflow can draw."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def as_text(value: Any) -> str:
    """``value`` as a parameter of MLflow."""
    return value if isinstance(value, str) else json.dumps(value)


def _artifact_location(experiment: str, root: str | None) -> str | None:
    if root is None:
        return None
    base = root.rstrip("/") if len(urlsplit(root).scheme) > 1 else Path(root).resolve().as_uri()
    return f"{base}/{re.sub('[^A-Za-z0-9._-]', '_', experiment)}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as in some containers
        return "unknown"
