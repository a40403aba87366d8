"""MLflow's UI for a home folder, on this machine only."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from dashboards.tracking.artifact_locations import adopt_artifacts
from dashboards.tracking.sqlite_url import sqlite_url
from spaces.errors import RequestError, WorkFailed

HOST = "127.0.0.1"
"""MLflow's UI has no password: whoever reaches it can read and change everything."""
_START_S, _STOP_S, _LOOK_S = 120.0, 10.0, 0.3
_PORTS_TRIED = 50
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a queue for evaluating language models, idle here
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
}


def serve(home: Path, port: int) -> None:
    """Serve MLflow's UI on ``home`` until a `KeyboardInterrupt`, which a signal that ends the command raises.

    Args:
        home: A home folder, with its ``mlflow.db`` and ``mlartifacts``.
        port: Port on which it listens; the next free one is used if another program has it.

    Raises:
        RequestError: ``home`` has no ``mlflow.db``, or no port is free.
        WorkFailed: The server does not start, or ends by itself.
    """
    if not (home / "mlflow.db").is_file():
        raise RequestError(f"there is no mlflow.db in {home}; run a search first, or give its folder with --home")
    with suppress(sqlite3.Error):  # a home that can only be read is shown as it is
        adopt_artifacts(home / "mlflow.db", home / "mlartifacts")
    free = free_port(port)
    if free != port:
        print(f"port {port} is taken, so port {free} is used", file=sys.stderr)
    with tempfile.TemporaryFile() as output:
        environment = {**os.environ, **_SETTINGS}
        server = subprocess.Popen(command(home, free), env=environment, stdout=output, stderr=output)
        try:
            _announce(server, f"http://{HOST}:{free}")
            server.wait()
        except KeyboardInterrupt:
            print("", file=sys.stderr)
            return
        finally:
            _stop(server)
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        raise WorkFailed(f"MLflow's server ended by itself; its last line: {lines[-1]}")


def command(home: Path, port: int) -> list[str]:
    """The command line of the server for ``home``."""
    home = home.resolve()
    store = ["--backend-store-uri", sqlite_url(home / "mlflow.db")]
    artifacts = ["--artifacts-destination", (home / "mlartifacts").as_uri()]
    where = ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *where]


def free_port(first: int) -> int:
    """The first free port from ``first`` on.

    Raises:
        RequestError: None of fifty ports is free.
    """
    reason = "the last port is 65535"
    for port in range(first, min(first + _PORTS_TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                reason = str(error)
                continue
            return port
    raise RequestError(f"no port from {first} on is free on {HOST} ({reason}); give another with --port")


def _announce(server: subprocess.Popen[bytes], address: str) -> None:
    """Print the address as soon as the server answers."""
    end = time.monotonic() + _START_S
    while server.poll() is None and time.monotonic() < end:
        if _answers(address):
            print(f"MLflow's UI is at {address}  (Ctrl-C ends it)", file=sys.stderr)
            print("studies are under 'Model training', the switch at its top left", file=sys.stderr, flush=True)
            return
        time.sleep(_LOOK_S)
    if server.poll() is None:
        raise WorkFailed(f"MLflow's server did not answer at {address} within {_START_S:.0f} s")


def _answers(address: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine
    try:
        with direct.open(f"{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, which ends its own worker; a second Ctrl-C meanwhile is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if server.poll() is None:
            server.terminate()
        server.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    finally:
        signal.signal(signal.SIGINT, before)
