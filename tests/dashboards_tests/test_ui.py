"""MLflow's UI for a home folder, from a real server that is started and ended."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import optuna
import pytest

from dashboards.study_page import study_page, trials_page
from dashboards.tracking.mlflow_store import RunLocation
from dashboards.tracking.tracker import Tracker, TrialResult
from dashboards.tracking.tracking_address import check_tracking_uri
from dashboards.ui import Shown, command, free_port, optuna_command, serve
from spaces.errors import RequestError

SERVE = """
import sys
from pathlib import Path
from dashboards.ui import Shown, serve
serve(Path(sys.argv[1]), int(sys.argv[2]), Shown(*sys.argv[3:]))
"""


def _start(home, port, *shown):
    program = [sys.executable, "-c", SERVE, str(home), str(port), *shown]
    return subprocess.Popen(program, stderr=subprocess.PIPE, text=True, preexec_fn=_interruptible)


def _interruptible():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # processes in the background ignore it


def _address(server):
    """The address that the server prints, as soon as it does, and everything that it printed until then."""
    said = ""
    for line in server.stderr:
        said += line
        if found := re.search(r"http://\S+", line):
            return found.group(), said
    raise AssertionError(f"the server ended and said {said!r}")


def _taken_port():
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held, held.getsockname()[1]


def _ask(address, path, **body):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{address}/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def test_a_folder_without_a_database_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"no mlflow\.db"):
        serve(tmp_path, 5000)


def test_another_port_is_found_only_where_the_wanted_one_is_taken():
    held, port = _taken_port()
    with held:
        assert port < free_port(port) < port + 50
    assert free_port(port) == port


def test_no_free_port_is_one_sentence(monkeypatch):
    monkeypatch.setattr("dashboards.ui._PORTS_TRIED", 1)
    held, port = _taken_port()
    with held, pytest.raises(RequestError, match=f"no port from {port} on is free .*--port"):
        free_port(port)


def test_the_command_names_this_machine_alone_and_the_home(tmp_path):
    words = command(tmp_path, 5001)
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path.resolve() / 'mlflow.db'}"
    assert words[words.index("--artifacts-destination") + 1] == (tmp_path.resolve() / "mlartifacts").as_uri()


def test_a_server_that_was_away_gets_everything_shows_it_and_ends_cleanly(home, tmp_path, document, trials):
    held, taken = _taken_port()
    port = free_port(taken)
    uri = f"http://127.0.0.1:{port}"
    with pytest.raises(RequestError):
        check_tracking_uri(uri)
    tracker = Tracker(RunLocation("digits-1", "digits", uri), tmp_path / "spool")
    tracker.study_started({"seed": 0})
    for trial in trials:
        result = TrialResult(trial["trial"], trial["configuration"], trial["measurement"], hypervolume=0.5, seconds=1.0)
        tracker.trial_finished(result)
    tracker.front_changed(document, trials)
    assert not tracker.flush(1.5)
    server = _start(home, taken)
    try:
        address, said = _address(server)
        assert (address, f"port {taken} is taken" in said) == (uri, True)
        check_tracking_uri(address)
        assert tracker.close(90)
        _check_what_is_served(address, tracker.run_ids(), home)
        _check_pages(address, tracker.run_ids()[17])
        server.send_signal(signal.SIGINT)
        _, rest = server.communicate(timeout=60)
        assert (server.returncode, "Traceback" in rest, "rror" in rest) == (0, False, False)
        with pytest.raises(RequestError):
            check_tracking_uri(address)
    finally:
        server.kill()
        held.close()


def _check_pages(address, child):
    """The pages that are opened are those of the study and of its experiment."""
    run = json.loads(_ask(address, f"api/2.0/mlflow/runs/get?run_id={child}"))["run"]
    parent = next(tag["value"] for tag in run["data"]["tags"] if tag["key"] == "mlflow.parentRunId")
    experiment, ml = f"{address}/#/experiments/{run['info']['experiment_id']}", "workflowType=machine_learning"
    page = study_page(address, "digits-1")
    assert page == f"{experiment}/runs/{parent}?{ml}"
    every = f"{experiment}/runs?{ml}&viewStateShareKey=frontrunner-trials"
    assert (study_page(address), trials_page(page)) == (every, every)
    with pytest.raises(RequestError, match="no study called 'night'; it has digits-1"):
        study_page(address, "night")


def test_servers_end_with_a_program_that_is_killed(home, tmp_path):
    """Also the children of a server, as MLflow's has one that serves."""
    server = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = f"""
import os, sys, time
from dashboards import guarded_server
with open(os.devnull, "wb") as output:
    guarded_server.start([sys.executable, "-c", {server!r}, {child!r}], os.environ, output)
    time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", program])
    pid = int(_soon(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    os.kill(pid, 0)
    starter.kill()
    starter.wait()
    assert _soon(lambda: not _is_alive(pid))


def _soon(condition):
    """What ``condition`` gives as soon as that is true; at last whatever it gives."""
    for _ in range(300):
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_package_that_optuna_dashboard_needs_is_named(home, monkeypatch):
    monkeypatch.setattr("dashboards.ui.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"--optuna needs another package: .*frontrunner\[dashboard\]"):
        serve(home, 5000, Shown(optuna="sqlite:///studies.db"))


@pytest.mark.slow
def test_optuna_dashboard_serves_the_studies_beside_mlflow_and_ends_with_the_command(home, tmp_path):
    pytest.importorskip("optuna_dashboard")
    storage = f"sqlite:///{home / 'studies.db'}"
    study = optuna.create_study(study_name="digits-1", storage=storage, directions=["maximize", "maximize"])
    study.tell(study.ask(), [0.9, 2.0])
    held, taken = _taken_port()
    (home / "url").write_text(storage)
    server = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SERVE.replace("*sys.argv[3:]", "optuna=Path(sys.argv[1], 'url').read_text()"),
            home,
            str(taken),
        ],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_interruptible,
    )
    try:
        beside = next(found.group(1) for line in server.stderr if (found := re.search(r"optuna-.* is at (\S+)", line)))
        assert not [words for words in _command_lines(server.pid) if storage in words]
        served = json.loads(_ask(beside, "api/studies"))["study_summaries"]
        assert [(one["study_name"], one["directions"]) for one in served] == [("digits-1", ["maximize"] * 2)]
        assert b"<html" in _ask(beside, "dashboard")
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
        assert server.returncode == 0
        with pytest.raises(OSError, match="refused"):
            _ask(beside, "api/studies")
    finally:
        server.kill()
        held.close()


def _command_lines(pid):
    """The command lines of a process and of all that it started, which every user of the machine can read."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            found.append((int(process.name), parent, (process / "cmdline").read_text()))
    family = {pid}
    while more := {child for child, parent, _ in found if parent in family} - family:
        family |= more
    words = [line for process, _, line in found if process in family]
    assert any("optuna_server" in line for line in words)
    return words


def test_a_database_that_optuna_dashboard_cannot_open_is_told_without_its_password(tmp_path):
    pytest.importorskip("optuna_dashboard")
    url = f"sqlite:///{tmp_path}/none/secret.db"
    done = subprocess.run(optuna_command(1), env={**os.environ, "OPTUNA_STORAGE": url}, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("the database cannot be opened (")
    assert "secret" not in done.stderr


def _check_what_is_served(address, run_ids, home):
    assert set(run_ids) == {0, 2, 4, 9, 17}
    assert b"<html" in _ask(address, "")
    child = json.loads(_ask(address, f"api/2.0/mlflow/runs/get?run_id={run_ids[17]}"))["run"]["data"]
    tags = {tag["key"]: tag["value"] for tag in child["tags"]}
    assert tags["pareto"] == "true"
    page = _ask(address, f"get-artifact?path=front.html&run_uuid={tags['mlflow.parentRunId']}")
    assert b"plotly" in page
    stored = list(Path(home, "mlartifacts").rglob("front.html"))
    assert [path.read_bytes() for path in stored] == [page]
