"""MLflow's own pages on what a home holds, served to this machine alone."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from spaces.errors import RequestError, WorkFailed

_START_S, _STOP_S, _LOOK_S = 120.0, 10.0, 0.3
_PORTS_TRIED = 50
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a queue for evaluating language models, idle here
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
}


def serve(home: Path, port: int = 5000, host: str = "127.0.0.1", open_browser: bool = False) -> None:
    """Serve MLflow's UI on ``home`` until it is interrupted.

    Args:
        home: The home of searches, with its ``mlflow.db`` and ``mlartifacts``.
        port: Where it listens; the next free one is taken if another program has it.
        host: The interface; whoever reaches it can read and change everything, as there is no password.
        open_browser: Whether to open the page in a browser.

    Raises:
        RequestError: There is nothing to show at ``home``, or no port is free.
        WorkFailed: The server does not start, or ends by itself.
    """
    if not (home / "mlflow.db").is_file():
        raise RequestError(f"there is no mlflow.db in {home}; run a search first, or give its folder with --home")
    free = free_port(host, port)
    if free != port:
        print(f"port {port} is taken, so it is port {free}", file=sys.stderr)
    with _interrupted_like_ctrl_c(), tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command(home, free, host), env={**os.environ, **_SETTINGS}, stdout=said, stderr=said)
        try:
            _announce(server, f"http://{host}:{free}", open_browser)
            server.wait()
        except KeyboardInterrupt:
            print("", file=sys.stderr)
            return
        finally:
            _stop(server)
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise WorkFailed(f"MLflow's server ended by itself; its last words: {last[0]}")


def command(home: Path, port: int, host: str) -> list[str]:
    """The command that serves ``home``."""
    home = home.resolve()
    store = ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"]
    artifacts = ["--artifacts-destination", (home / "mlartifacts").as_uri()]
    where = ["--host", host, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "server", *store, *artifacts, *where]


def free_port(host: str, wanted: int) -> int:
    """``wanted`` or the first free port after it.

    Raises:
        RequestError: None of the next fifty is free, or ``host`` is not this machine's.
    """
    reason = "none is"
    for port in range(wanted, min(wanted + _PORTS_TRIED, 65536)):
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
                return port
        except OSError as error:
            reason = error.strerror or str(error)
    raise RequestError(f"no port from {wanted} on can be listened to at {host} ({reason}); give another with --port")


def _announce(server: subprocess.Popen[bytes], address: str, open_browser: bool) -> None:
    """Say where it is as soon as it answers."""
    end = time.monotonic() + _START_S
    while server.poll() is None and time.monotonic() < end:
        if _answers(address):
            print(f"MLflow's UI is at {address}  (Ctrl-C ends it)", file=sys.stderr)
            print("studies are under 'Model training', the switch at its top left", file=sys.stderr, flush=True)
            if open_browser:
                webbrowser.open(address)
            return
        time.sleep(_LOOK_S)
    if server.poll() is None:
        raise WorkFailed(f"MLflow's server did not answer at {address} within {_START_S:.0f} s")


def _answers(address: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of this machine
    try:
        with direct.open(f"{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, which ends its own worker; a second Ctrl-C meanwhile changes nothing."""
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


@contextmanager
def _interrupted_like_ctrl_c() -> Iterator[None]:
    """Let a request to end, or a terminal that closes, end this process the way Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP")  # the second is unknown to some systems
    before = {number: signal.signal(number, interrupt) for name in names if (number := getattr(signal, name, None))}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
