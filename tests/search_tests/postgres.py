"""A PostgreSQL server of a test's own, on a socket in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest


def program(name: str) -> str | None:
    """A program of PostgreSQL's server: on the PATH, or where Debian and Ubuntu put it, the newest version."""
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    debian = max(versions, key=lambda path: float(path.parents[1].name), default=None)
    return shutil.which(name) or (str(debian) if debian else None)


MISSING = [name for name in ("initdb", "pg_ctl") if program(name) is None]
needs_postgres = pytest.mark.skipif(
    bool(MISSING), reason=f"PostgreSQL's server is not installed: no {' and no '.join(MISSING)}"
)


class PostgresServer:
    """A server that trusts everybody who may open its socket.

    Attributes:
        url: Of its database, for SQLAlchemy.
    """

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o777)
        self.url = f"postgresql+psycopg://me@/postgres?host={folder}"
        self._folder = folder
        self._run("initdb", "-U", "me", "--auth=trust", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-t", "600", "-l", f"{self._folder}/log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` ends all sessions in order, ``immediate`` as a crash does."""
        self._run("pg_ctl", "-w", "-t", "600", "-m", mode, "stop")

    def _run(self, name: str, *arguments: str) -> None:
        as_user = ["setpriv", "--reuid=nobody", "--clear-groups"] if os.geteuid() == 0 else []
        command: list[Any] = [*as_user, program(name), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server for the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    try:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            with suppress(subprocess.CalledProcessError):  # it was stopped already
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
