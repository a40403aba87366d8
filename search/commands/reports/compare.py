"""``frontrunner compare``: two fronts against each other, of studies or of another tool's points."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.report.comparison_page import comparison_html
from dashboards.report.comparison_table import print_comparison
from dashboards.tracking.spool import read_run_ids
from runners.measuring.measurement import QUANTITIES
from runners.metric import QualityMetric
from search.commands.reports.report import read_document
from search.commands.studies import open_study
from search.front.comparison import Front, compare
from search.front.front_document import front_document
from search.objectives.objective import Objective, find_objectives
from search.request.locations import Locations
from spaces.errors import RequestError

Document = dict[str, Any]


@dataclass(frozen=True)
class CompareOptions:
    """What ``frontrunner compare`` compares.

    Attributes:
        first: A study, a .json file that a report wrote, or a .csv file of points.
        second: The same.
        report: A page to write, or None.
    """

    first: str
    second: str
    report: Path | None = None


def compare_fronts(options: CompareOptions, locations: Locations, *, as_json: bool) -> Document:
    """Print which of two fronts is better where, and write the page of both.

    Raises:
        RequestError: One of them does not exist or cannot be read, or they have no objective in common.
    """
    if options.report is not None and options.report.suffix != ".html":
        raise RequestError(f"--report {options.report}: a comparison ends in .html")
    sources = [_read(name, locations) for name in (options.first, options.second)]
    names = _names([str(source["study"]) for source in sources])
    objectives = _shared_objectives(sources, options)
    fronts = [_front(name, source, objectives) for name, source in zip(names, sources, strict=True)]
    document = compare(fronts[0], fronts[1], objectives)
    document |= QualityMetric.of_front(sources[0]).to_json() | {"notes": _notes(sources)}
    if options.report is not None:
        try:
            options.report.write_text(comparison_html(document), encoding="utf-8")
        except OSError as error:
            raise RequestError(
                f"--report {options.report}: it cannot be written ({error.strerror}); name another file"
            ) from error
    if as_json:
        print(json.dumps(document, allow_nan=False))
    else:
        print_comparison(Console(), document)
    return document


def _names(studies: Sequence[str]) -> list[str]:
    """What the two are called: their studies' names, made different where they are the same."""
    first, second = studies
    if first != second:
        return [first, second]
    return [f"{first} (1)", f"{second} (2)"]


def _read(name: str, locations: Locations) -> Document:
    """The front document of a study, a .json file or the points in a .csv file."""
    if name.endswith(".csv"):
        return _points(Path(name))
    if name.endswith(".json"):
        return read_document(name, locations)
    study, found = open_study(name, locations)
    return front_document(study, read_run_ids(found.folder.spool(name)))


def _points(file: Path) -> Document:
    """The points of another tool as a front document.

    Raises:
        RequestError: The file cannot be read, or a column or a number is missing.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"{file} cannot be read ({reason}); give a CSV file of points") from error
    known = [name for name in (rows[0] if rows else {}) if name in QUANTITIES]
    if not known:
        raise RequestError(
            f"{file} has no points: it needs a header with `name` and measured quantities such as `speedup` and "
            "`accuracy`, and a line for each point"
        )
    members = [_point(row, known, f"{file}, line {number}") for number, row in enumerate(rows, 2)]
    objectives = [{"name": n, "direction": QUANTITIES[n].direction, "unit": QUANTITIES[n].unit} for n in known]
    return {"study": file.stem, "front": members, "baseline": None, "objectives": objectives, "metric": None}


def _point(row: Mapping[str, str | None], names: Sequence[str], where: str) -> Document:
    measurement: Document = {}
    for name in names:
        measurement[name] = _number(row.get(name), f"{where}: {name}")
        ends = [row.get(f"{name}_low"), row.get(f"{name}_high")]
        if all(ends):
            measurement[f"{name}_ci95"] = [_number(end, f"{where}: an end of {name}") for end in ends]
    return {"trial": row.get("name") or where.rpartition(" ")[2], "measurement": measurement}


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RequestError(f"{where} is {text!r}; it must be a finite number")
    return value


def _shared_objectives(sources: Sequence[Document], options: CompareOptions) -> tuple[Objective, ...]:
    """The objectives of both; where these differ, those of the first that the other's members have measured."""
    first, second = ([one["name"] for one in source["objectives"]] for source in sources)
    names = [name for name in first if name in second] or [
        name for name in first if all(m["measurement"].get(name) is not None for m in sources[1]["front"])
    ]
    which = f"{options.first} and {options.second}"
    if not names:
        raise RequestError(f"{which} have no objective in common: {', '.join(first)} and {', '.join(second)}")
    metrics = [QualityMetric.of_front(source) for source in sources if source.get("metric")]
    if len(set(metrics)) > 1 and "accuracy" in names:
        raise RequestError(f"{which} measure {metrics[0].name} and {metrics[1].name}: these cannot be compared")
    return find_objectives(names, metrics[0] if metrics else QualityMetric())


def _front(name: str, source: Document, objectives: Sequence[Objective]) -> Front:
    needed = [objective.name for objective in objectives]
    members = [m for m in source["front"] if all(m["measurement"].get(one) is not None for one in needed)]
    if not members:
        raise RequestError(f"{name} has nothing on its front to compare")
    baseline = source.get("baseline")
    return Front(
        name,
        [str(member["trial"]) for member in members],
        [_compared(member["measurement"], needed) for member in members],
        baseline["measurement"] if baseline else None,
        source.get("resolution") or 0.0,
    )


def _compared(measurement: Mapping[str, Any], names: Sequence[str]) -> Document:
    wanted = {*names, *(f"{name}_ci95" for name in names)}
    return {name: value for name, value in measurement.items() if name in wanted}


def _notes(sources: Sequence[Document]) -> list[str]:
    """What makes the comparison less than it seems."""
    first, second = sources
    notes = []
    for name, said in (("workload", "the workloads differ"), ("device", "they were measured on different devices")):
        if first.get(name) and second.get(name) and first[name] != second[name]:
            notes.append(f"{said}: {first[name]} and {second[name]}")
    if first.get("baseline") and second.get("baseline"):
        threads = [source["baseline"]["configuration"].get("threads", 1) for source in sources]
        if threads[0] != threads[1]:
            notes.append(f"speedups relate to baselines on {threads[0]} and {threads[1]} threads")
    if not first.get("baseline") or not second.get("baseline"):
        notes.append("points of another tool are taken as they are: what their speedups relate to is not known")
    return notes
