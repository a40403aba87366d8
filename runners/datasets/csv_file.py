"""The splits of a CSV file: numbers and texts become one row of float32 numbers an example."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from runners.array_split import ArraySplit
from runners.datasets.division import SHARES, divide
from runners.workload import UNLABELLED
from spaces.errors import RequestError, in_one_line
from spaces.setting_error import did_you_mean

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_TEXTS = 50
"""Different texts that a column may have at most to be encoded."""
LONGEST_LIST = 300
"""Characters that are shown of the names of all columns."""


class TableSplit(ArraySplit):
    """Some rows of a table.

    Attributes:
        columns: What each number of an input is: a column, or ``column=text`` for 1 where the row has that text.
        classes: The names of the classes in the order of the targets; empty where targets are numbers.
        notes: A sentence each on what a person should know.
        preparation: How a row becomes an input, and what the outputs are, for whoever serves the model.
    """

    def __init__(
        self,
        inputs: Any,
        targets: Any,
        columns: Sequence[str],
        classes: Sequence[str],
        notes: Sequence[str] = (),
        preparation: str = "",
    ) -> None:
        super().__init__(inputs, targets)
        self.columns, self.classes, self.notes = tuple(columns), tuple(classes), tuple(notes)
        self.preparation = preparation


@dataclass(frozen=True)
class _Encoded:
    """A column as numbers.

    Attributes:
        numbers: One or more a row, ``(n, k)``.
        labels: What each of them is.
        formula: How they are made of a cell.
        note: What there is to say, or an empty string.
    """

    numbers: NDArray[np.float32]
    labels: list[str]
    formula: str
    note: str


def csv_data(
    path: str | Path,
    target: str,
    *,
    columns: Sequence[str] | None = None,
    classes: bool | None = None,
    separator: str = ",",
    seed: int = 0,
    unlabelled: str | Path | None = None,
) -> dict[str, TableSplit]:
    """The splits of a CSV file with a head line: 70 % of the rows train, 15 % validate and 15 % test.

    Columns of numbers are standardised by mean and deviation of the training rows. Columns of texts are encoded as one
    number for each text of the training rows, 1 where the row has it and else 0. ``NA``, ``None`` and the like are a
    missing number in a column of numbers, and a text like any other in a column of texts.

    Args:
        path: The file.
        target: The column to predict.
        columns: The columns to predict it from; by default all others.
        classes: Whether the target is a class: then targets are class numbers, int64 ``(n,)``, and every class has its
            share in each split. Else they are float32 ``(n, 1)``. By default texts are classes and numbers are not.
        separator: Between the columns.
        seed: Decides which rows go where.
        unlabelled: A file of further rows with the same columns, from which networks learn by what their teacher says
            of them; it needs no ``target``.

    Raises:
        RequestError: A file cannot be read, a column is missing, a cell is empty or infinite, a text column has more
            than `MOST_TEXTS` texts, or there are too few rows.
    """
    table = _read(Path(path), separator)
    names = [name for name in table.columns if name != target] if columns is None else list(columns)
    _require_columns(path, table, (target, *names))
    if not names or target in names:
        raise RequestError(f"{path}: give at least one column to predict from, and not {target!r} itself")
    for name in (target, *names):
        _refuse_gaps(Path(path), table[name])
    targets, groups, class_names = _targets(Path(path), table[target], classes)
    parts = divide([str(row) for row in range(len(table))], groups, "train", SHARES, seed)
    train = table.iloc[parts["train"]]
    encoded = [_encoded(Path(path), table[name], train[name]) for name in names]
    inputs = np.column_stack([column.numbers for column in encoded])
    labels = [label for column in encoded for label in column.labels]
    notes = [column.note for column in encoded if column.note]
    judged = (
        f"Outputs are the classes {', '.join(class_names)}, in this order." if class_names else f"It gives {target}."
    )
    preparation = f"An input holds, in this order: {'; '.join(column.formula for column in encoded)}. {judged}"
    splits = {
        split: TableSplit(inputs[rows], targets[rows], labels, class_names, notes, preparation)
        for split, rows in parts.items()
    }
    if unlabelled is not None:
        further = _further_rows(Path(unlabelled), separator, names, train)
        splits[UNLABELLED] = TableSplit(further, None, labels, class_names)
    return splits


def _further_rows(path: Path, separator: str, names: Sequence[str], train: "DataFrame") -> NDArray[np.float32]:
    """The rows of another file, encoded by those of ``train``."""
    table = _read(path, separator)
    _require_columns(path, table, names)
    for name in names:
        _refuse_gaps(path, table[name])
        if (table[name].dtype.kind in "iufb") != (train[name].dtype.kind in "iufb"):
            raise RequestError(f"{path}: {name!r} holds numbers in one of the two files and texts in the other")
    return np.column_stack([_encoded(path, table[name], train[name]).numbers for name in names])


def _require_columns(path: str | Path, table: "DataFrame", names: Iterable[str]) -> None:
    for name in names:
        if name not in table.columns:
            alone = "; give separator=';' or another one" if len(table.columns) == 1 else ""
            near = did_you_mean(name, table.columns)
            there = ", ".join(table.columns)
            there = there if len(there) <= LONGEST_LIST else f"{there[:LONGEST_LIST]} ..."
            raise RequestError(f"{path} has no column {name!r}{near}; it has {there}{alone}")


def _read(path: Path, separator: str) -> "DataFrame":
    import pandas

    read = partial(pandas.read_csv, path, sep=separator, encoding="utf-8-sig", skipinitialspace=True)
    try:
        table = read()
        texts = [name for name in table.columns if table[name].dtype.kind not in "iufb"]
        if texts:
            as_written = read(dtype=str, keep_default_na=False, na_values=[""])
            table = table.assign(**{name: as_written[name].to_numpy() for name in texts})
    except (OSError, ValueError, MemoryError) as error:
        raise RequestError(f"{path} cannot be read as CSV ({in_one_line(error, 200)})") from error
    table.columns = [str(name).strip() for name in table.columns]
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise RequestError(f"{path} has two columns {twice!r}; rename one")
    return table


def _refuse_gaps(path: Path, column: "Series[Any]") -> None:
    empty = int(column.isna().sum())
    if empty:
        line = int(np.flatnonzero(column.isna())[0]) + 2
        raise RequestError(
            f"{path}: {column.name!r} is empty in {empty} of {len(column)} rows, first on line {line}; fill them, or "
            "remove the rows"
        )
    if column.dtype.kind == "f" and not np.isfinite(column.to_numpy()).all():
        raise RequestError(f"{path}: {column.name!r} holds infinite numbers; remove these rows")


def _targets(
    path: Path, column: "Series[Any]", classes: bool | None
) -> tuple[NDArray[Any], Sequence[Hashable], tuple[str, ...]]:
    """The targets, the group of each row in which it is divided, and the names of the classes."""
    is_number = column.dtype.kind in "iuf"
    if classes is False and not is_number:
        raise RequestError(f"{path}: {column.name!r} holds texts, which are classes; leave classes=False out")
    if is_number and not classes:
        return column.to_numpy(np.float32)[:, None], [f"{path}"] * len(column), ()
    found = sorted(column.unique().tolist())
    if len(found) < 2:
        raise RequestError(f"{path}: {column.name!r} is {found[0]!r} in every row; there must be two classes at least")
    numbers = {value: number for number, value in enumerate(found)}
    targets = np.array([numbers[value] for value in column.tolist()], dtype=np.int64)
    groups = [f"{path}: {column.name}={value}" for value in column.tolist()]
    return targets, groups, tuple(str(value) for value in found)


def _encoded(path: Path, column: "Series[Any]", train: "Series[Any]") -> _Encoded:
    if column.dtype.kind in "iufb":
        values, known = column.to_numpy(np.float64), train.to_numpy(np.float64)
        deviation = known.std()
        note = f"{path}: {column.name!r} is the same in every row that trains" if deviation == 0 else ""
        scaled = (values - known.mean()) / (deviation or 1.0)
        formula = f"({column.name} - {known.mean():.9g}) / {deviation or 1.0:.9g}"
        return _Encoded(scaled[:, None].astype(np.float32), [str(column.name)], formula, note)
    texts = sorted(set(map(str, train.tolist())))
    if len(texts) > MOST_TEXTS:
        raise RequestError(
            f"{path}: {column.name!r} has {len(texts)} different texts, more than the {MOST_TEXTS} that are encoded; "
            "leave it out with columns=[...], or turn it into numbers"
        )
    rows = np.array(list(map(str, column.tolist())))
    unknown = sorted(set(rows.tolist()) - set(texts))
    note = f"{path}: no row that trains has {column.name} {_first(unknown)}" if unknown else ""
    labels = [f"{column.name}={text}" for text in texts]
    encoded = (rows[:, None] == np.array(texts)).astype(np.float32)
    return _Encoded(encoded, labels, f"1 or 0 for each of {', '.join(labels)}", note)


def _first(texts: Iterable[str]) -> str:
    *all_but, last = [repr(text) for text in texts]
    return f"{', '.join(all_but[:3])} or {last}" if all_but else last
