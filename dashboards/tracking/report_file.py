"""The report of a study as a file of its run in MLflow."""

from dashboards.tracking.mlflow_runs import REPORT
from dashboards.tracking.mlflow_store import MlflowStore, RunLocation
from dashboards.tracking.tracker import adopt_home, import_mlflow
from spaces.errors import RequestError


def log_report(location: RunLocation, page: str) -> str:
    """Write the ``page`` into the run of its study, where the viewer of artifacts opens it; the run's id.

    An earlier one is overwritten.

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
        store.client.log_text(found[0], page, REPORT)
    except mlflow.exceptions.MlflowException as error:
        raise RequestError(f"--log: MLflow refused the page ({str(error).splitlines()[0][:200]})") from error
    return str(found[0])
