"""The options of ``frontrunner report``; like `search.cli` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from search.commands.options import HomeOption, JsonOption, StorageOption, TrackingOption


def report(
    study: Annotated[str, Argument(metavar="STUDY", help="Name of the study, or a report of one as .json.")],
    to: Annotated[
        Path,
        Option(
            metavar="FILE",
            help="File to write: .html is a page with everything, .json its figures as numbers, and "
            ".png, .svg and .pdf are a picture of one figure.",
        ),
    ],
    figure: Annotated[
        str | None,
        Option(
            metavar="FIGURE",
            help="Which figure a picture shows, such as front, importance or timeline. [default: front]",
        ),
    ] = None,
    log: Annotated[bool, Option("--log", help="Also write the page into the study's run in MLflow.")] = False,
    home: HomeOption = None,
    storage: StorageOption = None,
    tracking_uri: TrackingOption = None,
    json: JsonOption = False,
) -> None:
    """Write a study as one page, or one of its figures as a picture.

    The page needs no network. Pictures need the packages of frontrunner[figures] and a Chrome or Chromium.
    """
    from search.commands.reports.report import ReportOptions, write_report
    from search.request.locations import Locations

    write_report(ReportOptions(study, to, figure, log), Locations(home, storage, tracking_uri), as_json=json)
