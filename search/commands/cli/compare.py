"""The options of ``frontrunner compare``; like `search.cli` it imports nothing heavy."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from search.commands.options import HomeOption, JsonOption, StorageOption


def compare(
    study_a: Annotated[str, Argument(metavar="STUDY_A", help="Name of a study, or a file of points as .csv.")],
    study_b: Annotated[str, Argument(metavar="STUDY_B", help="What it is compared with.")],
    report: Annotated[
        Path | None, Option(metavar="FILE", help="Also write both fronts in one figure into this .html file.")
    ] = None,
    home: HomeOption = None,
    storage: StorageOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the fronts of two studies, or one with other points.

    A .csv file has a header with name, speedup and accuracy, or other measured quantities, and a line for each
    point; speedup_low, speedup_high, accuracy_low and accuracy_high are the ends of 95 % intervals. Accuracies are
    fractions. A .json file is what `frontrunner report` wrote.
    """
    from search.commands.reports.compare import CompareOptions, compare_fronts
    from search.request.locations import Locations

    compare_fronts(CompareOptions(study_a, study_b, report), Locations(home, storage), as_json=json)
