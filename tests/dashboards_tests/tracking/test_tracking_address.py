"""A tracking URI is checked before a search starts."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboards.tracking.tracking_address import TrackingAway, check_tracking_uri
from spaces.errors import RequestError


@pytest.fixture
def answer():
    """A server on this machine that answers each known path with a status, and others with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(server.statuses.get(self.path, 404))
            self.end_headers()

        def log_message(self, *details):
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.statuses = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _address(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "sqlite:////a/b.db", "postgresql+psycopg2://me@host/db", "databricks", "uc:profile"]
)
def test_databases_are_taken_without_asking_them(uri):
    check_tracking_uri(uri)


@pytest.mark.parametrize("uri", ["./mlruns", "/tmp/mlruns", "file:///tmp/mlruns", "mlruns", "sqlite://"])
def test_a_folder_is_refused_with_advice(uri, monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(RequestError, match=r"sqlite:///PATH/mlflow\.db"):
        check_tracking_uri(uri)


def test_a_folder_is_taken_where_mlflow_was_told_to(monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check_tracking_uri("./mlruns")


@pytest.mark.parametrize("uri", ["ftp://host/x", "mongodb://host", "http://", "http://host:port", "http://[::1"])
def test_what_mlflow_cannot_track_to_is_refused(uri):
    with pytest.raises(RequestError, match=r"sqlite:///PATH/mlflow\.db"):
        check_tracking_uri(uri)


def test_a_server_that_is_not_there_is_refused_without_showing_the_password():
    with pytest.raises(RequestError) as caught:
        check_tracking_uri("http://me:secret@127.0.0.1:9")
    assert "no tracking server can be reached at http://127.0.0.1:9" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.faults("mlflow away")
@pytest.mark.parametrize("health", [200, 401])
def test_a_server_that_asks_for_a_login_needs_one_that_mlflow_finds(answer, health, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    answer.statuses |= {"/health": health, "/api/2.0/mlflow/experiments/search?max_results=1": 401}
    with pytest.raises(RequestError, match=r"asks for a login; set MLFLOW_TRACKING_USERNAME") as refused:
        check_tracking_uri(_address(answer))
    assert not isinstance(refused.value, TrackingAway), "waiting would not help"
    check_tracking_uri(_address(answer).replace("://", "://me:secret@"))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    check_tracking_uri(_address(answer))
    (tmp_path / ".netrc").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    check_tracking_uri(_address(answer))


@pytest.mark.parametrize("status", [200, 403])
def test_a_healthy_server_and_one_that_lets_in_few_are_there(answer, status):
    answer.statuses = {"/health": status}
    check_tracking_uri(_address(answer))


def test_a_host_of_mlflow_without_a_health_page_is_there(answer):
    answer.statuses = {"/me/api/2.0/mlflow/experiments/search?max_results=1": 200}
    check_tracking_uri(f"{_address(answer)}/me/")


def test_something_else_that_answers_is_refused(answer):
    with pytest.raises(RequestError, match="is not an MLflow server"):
        check_tracking_uri(_address(answer))


def test_a_server_behind_a_gateway_that_cannot_reach_it_is_refused(answer):
    answer.statuses = {"/health": 502}
    with pytest.raises(RequestError, match="answers with status 502"):
        check_tracking_uri(_address(answer))


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:secret@host:port",
        "http://me:secret@",
        "ftp://me:secret@host/x",
        "file://me:secret@host/x",
        "http://127.0.0.1:9/?token=secret",
    ],
)
def test_no_refusal_shows_a_password(uri, monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(RequestError) as caught:
        check_tracking_uri(uri)
    assert "secret" not in str(caught.value)


def test_a_server_is_asked_without_the_name_and_password(answer):
    answer.statuses = {"/me/health": 200}
    check_tracking_uri(f"http://me:secret@127.0.0.1:{answer.server_port}/me/")
