"""A CSV file that says which file of a folder belongs to which class and which split."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runners.datasets.split_names import split_of
from runners.workload import SPLITS
from spaces.errors import RequestError
from spaces.setting_error import did_you_mean

COLUMNS = ("file", "class", "split")


@dataclass(frozen=True)
class Row:
    """One line of the file.

    Attributes:
        file: Path below the folder, with ``/`` between its parts.
        category: The name of its class.
        split: ``train``, ``validation`` or ``test``.
    """

    file: str
    category: str
    split: str


def division_text(rows: Iterable[Row]) -> str:
    """``rows`` as CSV with the columns ``file``, ``class`` and ``split``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.file, row.category, row.split) for row in rows)
    return text.getvalue()


def read_division(file: Path) -> list[Row]:
    """The lines of a file as `division_text` gives it; other columns may stand beside.

    Raises:
        RequestError: It cannot be read, lacks a column, names a file twice, or a line is not as it has to be.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise RequestError(f"{file} has no column {missing[0]}; it needs {', '.join(COLUMNS)}")
            rows = [_row(f"{file}:{reader.line_num}", line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{file} cannot be read as CSV ({error})") from error
    seen = set()
    for row in rows:
        if row.file in seen:
            raise RequestError(f"{file} names {row.file} twice; keep one of the lines")
        seen.add(row.file)
    return rows


def _row(place: str, line: dict[str, str | None]) -> Row:
    name, category, split = (line[column] or "" for column in COLUMNS)
    if not name or not category:
        raise RequestError(f"{place}: the {'class' if name else 'file'} is missing")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise RequestError(f"{place}: {name} must be a path below the folder of images")
    split = split_of(split)
    if split not in SPLITS:
        raise RequestError(
            f"{place}: unknown split {split!r}; allowed are {', '.join(SPLITS)}{did_you_mean(split, SPLITS)}"
        )
    return Row(name, category, split)
