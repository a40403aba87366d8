"""A search, a report and a registered export beside servers with passwords: no file and no output shows one."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from search_tests.command import frontrunner
from search_tests.postgres import needs_postgres, postgres_server

pytestmark = [pytest.mark.slow, needs_postgres, pytest.mark.faults("secret")]

PASSWORDS = {"storage": "word-of-the-database", "tracking": "word-of-the-server", "variable": "word-of-the-variable"}
STUDY = "workload: synthetic\nstudy: small\ntrials: 2\nspace:\n  runtime: [eager, torchscript]\n"
LONGEST_S = 1800.0


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """The port of an MLflow server for the block; it asks for no password, and takes any."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow runs uvicorn by its name
    places = ["--backend-store-uri", f"sqlite:///{folder}/served.db", "--artifacts-destination", str(folder / "served")]
    words = ["server", *places, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words],
            cwd=folder,
            env={**os.environ, "PATH": scripts},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            assert server.poll() is None, (folder / "server.log").read_text()
            with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                break
            time.sleep(0.5)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_no_password_is_in_a_file_or_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["variable"])
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    (tmp_path / "small.yaml").write_text(STUDY)
    with postgres_server() as database, mlflow_server(tmp_path) as port:
        storage = database.url.replace("me@", f"me:{PASSWORDS['storage']}@")
        tracking = f"http://me:{PASSWORDS['tracking']}@127.0.0.1:{port}"
        studies = ("--home", "home", "--storage", storage)
        places = (*studies, "--tracking-uri", tracking)
        commands: list[tuple[str, ...]] = [
            ("search", "small.yaml", *places),
            ("resume", "small", *places),
            ("front", "small", "--all", "--json", *studies),
            ("report", "small", "--to", "report.html", "--log", *places),
            ("export", "small", "--to", "exported", "--pick", "1", "--register", "fast", *places),
            ("resume", "nothing", *places),
            ("verify", "exported", "--home", "home"),
        ]
        said = ""
        for command in commands:
            done = frontrunner(*command, cwd=tmp_path, timeout_s=LONGEST_S)
            assert done.returncode == (2 if "nothing" in command else 0), f"{command[0]}: {done.stderr[-700:]}"
            said += done.stdout + done.stderr
        folders = [tmp_path, Path(database.url.partition("host=")[2])]
        files = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert all(password not in said for password in PASSWORDS.values())
    shown = [
        (path, name) for path, content in files.items() for name, word in PASSWORDS.items() if word.encode() in content
    ]
    assert shown == []
    names = {path.name for path in files}
    assert {"predict.py", "report.html", "MLmodel", "served.db", "server.log"} <= names, "these are among the files"
