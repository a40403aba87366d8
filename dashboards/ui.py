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
import webbrowser
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dashboards import guarded_server, optuna_server
from dashboards.study_page import study_page, trials_page
from dashboards.tracking.artifact_locations import adopt_artifacts
from dashboards.tracking.sqlite_url import sqlite_url
from spaces.errors import RequestError, WorkFailed

HOST = "127.0.0.1"
"""MLflow's UI has no password: whoever reaches it can read and change everything."""
_START_S, _STOP_S, _LOOK_S = 120.0, 12.0, 0.3
_PORTS_TRIED = 50
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a queue for evaluating language models, idle here
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class Shown:
    """What `serve` shows.

    Attributes:
        study: The study whose page is opened; None is the table of all trials of the newest one.
        browser: Whether a browser is opened.
        optuna: The URL of Optuna's database, where optuna-dashboard is to run too; else None.
    """

    study: str | None = None
    browser: bool = False
    optuna: str | None = None


def serve(home: Path, port: int, shown: Shown = Shown()) -> None:
    """Serve MLflow's UI on ``home`` until a `KeyboardInterrupt`, which a signal that ends the command raises.

    The servers end with this process, however that ends.

    Args:
        home: A home folder, with its ``mlflow.db`` and ``mlartifacts``.
        port: Port on which it listens; the next free one is used if another program has it.
        shown: What else is served, and which page is opened.

    Raises:
        RequestError: ``home`` has no ``mlflow.db`` or no such study, no port is free, or a package is missing.
        WorkFailed: A server does not start, or ends by itself.
    """
    if not (home / "mlflow.db").is_file():
        raise RequestError(f"there is no mlflow.db in {home}; run a search first, or give its folder with --home")
    if shown.optuna and find_spec("optuna_dashboard") is None:
        raise RequestError("--optuna needs another package: python -m pip install 'frontrunner[dashboard]'")
    with suppress(sqlite3.Error):  # a home that can only be read is shown as it is
        adopt_artifacts(home / "mlflow.db", home / "mlartifacts")
    free = free_port(port)
    if free != port:
        print(f"port {port} is taken, so port {free} is used", file=sys.stderr)
    with ExitStack() as ends:
        try:
            servers = [_Server.start("MLflow", command(home, free), free, ends)]
            if shown.optuna:
                beside, storage = free_port(free + 1), {optuna_server.STORAGE: shown.optuna}
                servers.append(_Server.start("optuna-dashboard", optuna_command(beside), beside, ends, storage))
            for server in servers:
                server.wait_until_it_answers()
            _announce(servers, shown)
            while all(server.process.poll() is None for server in servers):
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            print("", file=sys.stderr)
            return
        raise next(server.ended() for server in servers if server.process.poll() is not None)


def command(home: Path, port: int) -> list[str]:
    """The command line of the server for ``home``."""
    home = home.resolve()
    store = ["--backend-store-uri", sqlite_url(home / "mlflow.db")]
    artifacts = ["--artifacts-destination", (home / "mlartifacts").as_uri()]
    where = ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *where]


def optuna_command(port: int) -> list[str]:
    """The command line of optuna-dashboard, which takes the database from the environment."""
    return [sys.executable, "-P", optuna_server.__file__, HOST, str(port)]


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


def _announce(servers: "Sequence[_Server]", shown: Shown) -> None:
    """Print where the pages are, and open the one of the study."""
    mlflow, *others = servers
    try:
        page = study_page(mlflow.address, shown.study)
    except OSError as error:
        raise WorkFailed(f"MLflow's server at {mlflow.address} does not say which studies it has ({error})") from error
    print(f"MLflow's UI is at {mlflow.address}  (Ctrl-C ends it)", file=sys.stderr)
    if shown.study:
        print(f"study {shown.study}: {page}", file=sys.stderr)
    print(f"all trials: {trials_page(page) if '/runs' in page else page}", file=sys.stderr)
    for other in others:
        print(f"{other.name} is at {other.address}", file=sys.stderr)
    sys.stderr.flush()
    if shown.browser and _has_screen():
        webbrowser.open(page)


def _has_screen() -> bool:
    """Whether a browser can show something; without a screen a browser in this terminal would take it over."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@dataclass(frozen=True)
class _Server:
    """A server in a process of its own.

    Attributes:
        name: What it is called.
        address: Where it answers.
        process: Its guard; see `dashboards.guarded_server`.
        output: All that it printed.
    """

    name: str
    address: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @classmethod
    def start(
        cls, name: str, words: Sequence[str], port: int, ends: ExitStack, settings: Mapping[str, str] = _SETTINGS
    ) -> "_Server":
        """Start it with ``settings`` in its environment; it ends with the block of ``ends``."""
        output = ends.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
        process = guarded_server.start(words, {**os.environ, **settings}, output)
        ends.callback(_stop, process)
        return cls(name, f"http://{HOST}:{port}", process, output)

    def wait_until_it_answers(self) -> None:
        """Wait until the server answers, or has ended.

        Raises:
            WorkFailed: It does neither for two minutes.
        """
        end = time.monotonic() + _START_S
        while self.process.poll() is None:
            if _answers(self.address):
                return
            if time.monotonic() > end:
                raise WorkFailed(f"{self.name}'s server did not answer at {self.address} within {_START_S:.0f} s")
            time.sleep(_LOOK_S)
        raise self.ended()

    def ended(self) -> WorkFailed:
        """What is said where it ended by itself."""
        self.output.seek(0)
        lines = self.output.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
        return WorkFailed(f"{self.name}'s server ended by itself; its last line: {lines[-1]}")


def _answers(address: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine
    try:
        with direct.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started; a second Ctrl-C meanwhile is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert server.stdin is not None, "it was started with a pipe"
        with suppress(OSError):
            server.stdin.close()
        server.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    finally:
        signal.signal(signal.SIGINT, before)
