"""Where the MLflow database of a home says that artifacts lie, after the home was moved, copied or mounted elsewhere.

MLflow stores an absolute path with each experiment and each run, and has no command that changes it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_COLUMNS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""The columns in which MLflow stores absolute paths. Tables and columns that its version does not have are left out."""
_TIMEOUT_S = 30.0


def adopt_artifacts(database: Path, root: Path) -> None:
    """Let an MLflow database name the artifacts below ``root``, where it names those of an equally named folder.

    Only experiments are changed that keep their artifacts in a local folder ``.../NAME_OF_ROOT/EXPERIMENT``, as those
    of a home do.

    Args:
        database: The SQLite file; nothing to do where there is none.
        root: The folder in which the home keeps artifacts.

    Raises:
        sqlite3.Error: The database cannot be read or written.
    """
    if not database.is_file():
        return
    here = root.resolve().as_uri()
    with closing(sqlite3.connect(database, timeout=_TIMEOUT_S)) as connection, connection:
        for old in sorted(_other_roots(connection, here)):
            for table, names in _COLUMNS.items():
                for name in sorted(_columns(connection, table).intersection(names)):
                    connection.execute(
                        f"UPDATE {table} SET {name} = ? || substr({name}, length(?) + 1) "
                        f"WHERE substr({name}, 1, length(?) + 1) = ? || '/'",
                        (here, old, old, old),
                    )


def _other_roots(connection: sqlite3.Connection, here: str) -> set[str]:
    """The roots of artifacts other than ``here`` that have its last name."""
    if "artifact_location" not in _columns(connection, "experiments"):
        return set()
    rows = connection.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%'")
    roots = {location.rpartition("/")[0] for (location,) in rows}
    return {root for root in roots if root != here and root.rpartition("/")[2] == here.rpartition("/")[2]}


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
