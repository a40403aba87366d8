"""Where MLflow keeps the runs of a study, which environment variables say so, and what it is told of the study."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

from dashboards.progress import Progress
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.tracker import Tracker
from dashboards.tracking.tracking_address import TrackingAway, check_tracking_uri
from search.commands.tracking.about_study import about_study
from search.driver.attempts import MachineFailed
from search.driver.search_context import SearchContext
from search.front.course import front_course
from search.front.front_document import front_document, trial_documents
from search.request.locations import VARIABLES, Locations, from_environment
from search.stop_signals import stop_signals
from search.study.attributes import BUDGETS, FACTS, SETTINGS, STATUS
from search.study.storage import database_message
from search.study.waiting_connection import DatabaseLocked
from spaces.credentials import without_credentials
from spaces.errors import RequestError

TRACKING_WAIT_S = 60.0
"""How long the end of a search waits until MLflow has all records."""
TRACKING_WAIT_UNFINISHED_S = 3.0
"""The same after a search that was interrupted or failed; `resume` sends the others."""
_USES = {"storage": "studies are in", "tracking_uri": "MLflow's runs go to", "address": "Ray is the cluster at"}


def run_location(study: optuna.Study, locations: Locations) -> RunLocation:
    """Where the runs of ``study`` are; ``MLFLOW_EXPERIMENT_NAME``, or else the workload, names its experiment."""
    home = locations.folder
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or study.user_attrs[FACTS]["name"]
    artifact_root = str(home.artifacts) if locations.tracking == home.tracking else None
    return RunLocation(study.study_name, experiment, locations.tracking, artifact_root)


def find_tracking(locations: Locations) -> TrackingAway | None:
    """Why the server of MLflow does not answer now, or None where it does; it names the variable that gave its address.

    Raises:
        RequestError: MLflow cannot track to the address.
    """
    try:
        check_tracking_uri(locations.tracking)
    except RequestError as error:
        is_variable = locations.tracking == from_environment("tracking_uri")
        named = f"{error} (the address is that of {VARIABLES['tracking_uri']})" if is_variable else str(error)
        if isinstance(error, TrackingAway):
            return TrackingAway(named)
        raise RequestError(named) from error
    return None


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


@contextmanager
def status_recorded(search: SearchContext, tracker: Tracker, progress: Progress) -> Iterator[None]:
    """Record in the study and for MLflow that the search runs, and at the end of the block how it ended.

    After a block that finished, `send_records` waits until MLflow has the records.

    Args:
        search: Its study is the one.
        tracker: Sends the status to MLflow.
        progress: Shows what is waited for.

    Raises:
        MachineFailed: The database of the study is locked for too long, or cannot be reached any more.
    """
    study, resumable = search.study, f"`{search.resume}` continues the study"
    try:
        study.set_user_attr(STATUS, "running")
        metric = {"metric": search.metric.in_words}
        settings = {**study.user_attrs[SETTINGS], **metric, "budgets": study.user_attrs[BUDGETS]}
        tracker.study_started(settings, about_study(study))
        yield
    except MachineFailed:
        _record_end(study, "interrupted", tracker, progress)
        raise
    except (DatabaseLocked, optuna.exceptions.StorageInternalError) as error:
        tracker.study_ended("interrupted")
        _close(tracker, progress)
        reason = str(error) if isinstance(error, DatabaseLocked) else database_message(error.__cause__ or error)
        raise MachineFailed(f"the database of the study cannot be used ({reason}); {resumable}") from error
    except KeyboardInterrupt:
        search.runner.cancel()  # the cores are for writing down what is known
        if not stop_signals.arrived:  # else it is said at the end
            progress.note(f"interrupted; {resumable}")
        _record_end(study, "interrupted", tracker, progress)
        raise
    except BaseException:
        _record_end(study, "failed", tracker, progress)
        raise
    _record_end(study, "finished", tracker, progress)


def send_records(tracker: Tracker, progress: Progress, resume: str) -> None:
    """Wait until MLflow has all records of a search that is done; what it does not have by then waits in the spool.

    Args:
        tracker: Sends them.
        progress: Shows what is waited for.
        resume: The command that sends what is left.

    Raises:
        KeyboardInterrupt: It was interrupted; all that is known of the search is on disk.
    """
    stop_signals.leaves(f"the search is done; `{resume}` sends MLflow the records that it does not have yet")
    progress.note("writing the last records to MLflow")
    try:
        tracker.flush(TRACKING_WAIT_S)  # also where it was held so far
        _close(tracker, progress)
    except KeyboardInterrupt:
        tracker.close(0)
        raise


def _record_end(study: optuna.Study, status: str, tracker: Tracker, progress: Progress) -> None:
    """Write down that the study ended with ``status``; after one that did not finish, wait for MLflow, but not long."""
    study.set_user_attr(STATUS, status)
    document = front_document(study, tracker.run_ids())
    if document["baseline"]:
        tracker.front_changed(document, trial_documents(study), front_course(study))
    tracker.study_ended(status)
    if status != "finished":
        progress.note("writing the last records to MLflow")
        _close(tracker, progress)


def _close(tracker: Tracker, progress: Progress) -> None:
    if not tracker.close(TRACKING_WAIT_UNFINISHED_S):
        progress.note(
            f"MLflow does not have all records yet; the others wait in {tracker.spool_folder} until the study goes on"
        )
