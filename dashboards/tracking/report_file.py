"""The report of a study as a file of its run in MLflow."""

from collections.abc import Mapping
from typing import Any

from dashboards.tracking.logged_report import log_whole_report
from dashboards.tracking.mlflow_store import MlflowStore, RunLocation
from dashboards.tracking.tracker import adopt_home, import_mlflow
from spaces.errors import RequestError


def log_report(location: RunLocation, page: str, document: Mapping[str, Any]) -> str:
    """Write the ``page`` of a whole report into the run of its study, where the viewer of artifacts opens it.

    An earlier one is overwritten; this one stays until the study has other trials.

    Args:
        location: Where the run is.
        page: What `dashboards.report.report_html.report_html` makes of the document.
        document: The report document.

    Returns:
        The id of the run.

    Raises:
        RequestError: MLflow has no run of the study, refuses the file, or does not answer.
    """
    mlflow = import_mlflow()
    try:
        adopt_home(location)
        store = MlflowStore(mlflow, location)
        runs = store.search("frontrunner.kind", "study")
        found = [run.info.run_id for run in runs if run.data.tags["frontrunner.study"] == location.study]
        if not found:
            raise RequestError(f"--log: MLflow has no run of {location.study} yet; `frontrunner resume` sends it")
        log_whole_report(store, str(found[0]), page, document)
    except mlflow.exceptions.MlflowException as error:
        raise RequestError(f"--log: MLflow refused the page ({str(error).splitlines()[0][:200]})") from error
    return str(found[0])
