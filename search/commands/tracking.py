"""Where MLflow keeps the runs of a study, and which environment variables say so."""

import os

import optuna

from dashboards.mlflow_runs import RunLocation
from dashboards.tracking_address import check_tracking_uri
from search.request.locations import VARIABLES, Locations, from_environment
from search.study.attributes import FACTS
from spaces.credentials import without_credentials
from spaces.errors import RequestError

_USES = {"storage": "studies are in", "tracking_uri": "MLflow's runs go to", "address": "Ray is the cluster at"}


def run_location(study: optuna.Study, locations: Locations) -> RunLocation:
    """Where the runs of ``study`` are; ``MLFLOW_EXPERIMENT_NAME``, or else the workload, names its experiment."""
    home = locations.folder
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or study.user_attrs[FACTS]["name"]
    artifact_root = str(home.artifacts) if locations.tracking == home.tracking else None
    return RunLocation(study.study_name, experiment, locations.tracking, artifact_root)


def check_tracking(locations: Locations) -> None:
    """Raise `RequestError` where MLflow cannot track to the address; it names the variable that gave it."""
    try:
        check_tracking_uri(locations.tracking)
    except RequestError as error:
        if locations.tracking == from_environment("tracking_uri"):
            raise RequestError(f"{error} (the address is that of {VARIABLES['tracking_uri']})") from error
        raise


def used_variables(locations: Locations) -> list[str]:
    """A line for each environment variable of Optuna, MLflow and Ray that gives a location, used or not."""
    lines = []
    for name, variable in VARIABLES.items():
        given, used = from_environment(name), getattr(locations, name)
        if given is None:
            continue
        shown = without_credentials(used)
        lines.append(
            f"{_USES[name]} {shown}, as {variable} says"
            if used == given
            else f"{variable} is not used: an option, the study file or the study itself says {shown}"
        )
    if experiment := os.environ.get("MLFLOW_EXPERIMENT_NAME"):
        lines.append(f"MLflow's experiment is {experiment}, as MLFLOW_EXPERIMENT_NAME says")
    return lines
