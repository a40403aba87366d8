"""The report of a study that has ended, as MLflow gets it from the search itself."""

import optuna

from dashboards.progress import Progress
from dashboards.tracking.tracker import Tracker
from search.commands.hints import report_command
from search.commands.reports.study_report import study_report
from search.request.locations import Locations
from spaces.errors import in_one_line


def send_report(study: optuna.Study, locations: Locations, tracker: Tracker, progress: Progress) -> None:
    """Let ``tracker`` send the report of ``study`` without which choices mattered: to find that takes seconds.

    The search is done: where the report cannot be made, that is a note.
    """
    try:
        tracker.report_made(study_report(study, locations, tracker.run_ids(), importance=False))
    except Exception as error:
        command = report_command(study.study_name, locations)
        progress.note(f"MLflow gets no report of the study ({in_one_line(error)}); `{command}` tries again")
