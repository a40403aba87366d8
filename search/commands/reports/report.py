"""``frontrunner report``: a study as one page, or one of its figures as a picture."""

import json
from dataclasses import dataclass
from pathlib import Path

from dashboards.report.picture import check_picture, write_picture
from dashboards.report.report_html import report_html
from dashboards.tracking.spool import read_run_ids
from search.commands.reports.study_report import study_report
from search.commands.studies import open_study
from search.commands.tracking.recording import run_location
from search.front.front_document import Document
from search.request.locations import Locations
from search.request.remembered_locations import require_credentials
from search.study.attributes import PLACES
from spaces.errors import RequestError

PAGES, TABLES = (".html",), (".json",)


@dataclass(frozen=True)
class ReportOptions:
    """What ``frontrunner report`` writes.

    Attributes:
        study: Name of the study, or a file that an earlier report wrote as JSON.
        to: The file; its ending says what it is.
        figure: Which figure, where it is a picture.
        log: Whether the page becomes a file of the study's run in MLflow, too.
    """

    study: str
    to: Path
    figure: str | None = None
    log: bool = False


def write_report(options: ReportOptions, locations: Locations, *, as_json: bool) -> None:
    """Write a report of a study, and print what was written.

    Raises:
        RequestError: There is no such study, the ending or the figure is unknown, or the file cannot be written; or the
            page is to be logged, and MLflow has no run of the study or does not take it.
    """
    to = options.to
    _check_file(options)
    document = read_document(options.study, locations)
    run = None
    if to.suffix in PAGES:
        page = report_html(document)
        _write(to, page)
        run = _log(options.study, page, document, locations) if options.log else None
    elif to.suffix in TABLES:
        _write(to, json.dumps(document, allow_nan=False))
    else:
        write_picture(document, options.figure, to)
    size = to.stat().st_size
    if as_json:
        print(json.dumps({"file": str(to), "bytes": size, "study": document["study"], "run_id": run}))
    else:
        logged = f", and into MLflow's run {run}" if run else ""
        print(f"wrote {to} ({size / 2**20:.1f} MiB){logged}")


def read_document(study: str, locations: Locations) -> Document:
    """The report document of a study, or the one in a file whose name ends in .json.

    Raises:
        RequestError: There is no such study or file, or the file holds something else.
    """
    if study.endswith(".json"):
        return _from_file(Path(study))
    found, where = open_study(study, locations)
    return study_report(found, where, read_run_ids(where.folder.spool(study)))


def _log(name: str, page: str, document: Document, locations: Locations) -> str:
    """Write the page into the run of the study called ``name``; the run's id."""
    from dashboards.tracking.report_file import log_report

    study, found = open_study(name, locations)
    require_credentials(name, study.user_attrs.get(PLACES, {}), locations, ("tracking_uri",))
    return log_report(run_location(study, found), page, document)


def _from_file(file: Path) -> Document:
    try:
        document: Document = json.loads(file.read_text(encoding="utf-8"))
        front = document["study"], document["objectives"], document["front"], document["all"]
    except OSError as error:
        raise RequestError(
            f"{file} cannot be read ({error.strerror}); give a study or a file that holds one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{file} holds no study; `frontrunner report NAME --to FILE.json` or `frontrunner front NAME --all --json` "
            "writes one"
        ) from error
    assert front
    return document


def _check_file(options: ReportOptions) -> None:
    """Raise `RequestError` before anything is read where the file cannot be written, or is of no known kind."""
    to = options.to
    if options.log and (to.suffix not in PAGES or options.study.endswith(TABLES)):
        raise RequestError(f"--log is for the page of a study in this home; name a study, and {PAGES[0]} as the ending")
    if to.suffix in (*PAGES, *TABLES):
        if options.figure is not None:
            raise RequestError(f"--figure {options.figure}: only a picture shows one figure; {to} has all of them")
    else:
        check_picture(to, options.figure)
    if to.is_dir():
        raise RequestError(f"--to {to}: it is a folder; name a file")
    if not to.absolute().parent.is_dir():
        raise RequestError(f"--to {to}: there is no folder {to.absolute().parent}; make it or name another")


def _write(to: Path, text: str) -> None:
    try:
        to.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(f"--to {to}: it cannot be written ({error.strerror}); name another file") from error
