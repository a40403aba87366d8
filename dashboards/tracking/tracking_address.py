"""Checks a tracking URI before a search starts, without importing MLflow."""

import netrc
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from spaces.credentials import without_credentials
from spaces.errors import RequestError

_TIMEOUT_S = 3.0
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_OTHERS = ("databricks", "databricks-uc", "uc")
_PATHS = ("health", "api/2.0/mlflow/experiments/search?max_results=1")  # not every MLflow server has the first
_ALLOWED = "give sqlite:///PATH/mlflow.db, another database's URI, or the http(s) address of an MLflow server"

_LOGINS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
_LOGIN_FILE = Path("~/.mlflow/credentials")
"""From where MLflow takes the login for a server, beside the address itself and the file of netrc."""


class TrackingAway(RequestError):
    """The address is right and its server does not answer now, or answers with an error of its own."""


def check_tracking_uri(uri: str) -> None:
    """Check that MLflow can track to ``uri``; a server gets a request and has 3 s to answer.

    Raises:
        TrackingAway: No server answers.
        RequestError: MLflow cannot track to such an address.
    """
    parts = _split(uri)
    scheme = parts.scheme.split("+")[0]
    if scheme in ("http", "https"):
        _ask(uri, parts)
    elif scheme in ("", "file") and uri not in _OTHERS:
        _check_folder(uri)
    elif scheme == "sqlite" and not parts.path.strip("/"):
        raise RequestError(f"tracking URI {without_credentials(uri)!r} names no file; {_ALLOWED}")
    elif scheme not in (*_DATABASES, *_OTHERS, "", "file"):
        raise RequestError(f"MLflow cannot track to {without_credentials(uri)!r}; {_ALLOWED}")


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise RequestError(f"tracking URI {without_credentials(uri)!r} is not an address; {_ALLOWED}") from error
    return parts


def _check_folder(uri: str) -> None:
    """MLflow 3 keeps runs in plain folders only where its own environment variable allows that."""
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
        raise RequestError(f"MLflow 3 cannot track to a folder such as {without_credentials(uri)!r}; {_ALLOWED}")


def _ask(uri: str, parts: SplitResult) -> None:
    shown = without_credentials(uri)
    if not parts.hostname:
        raise RequestError(f"tracking URI {shown!r} names no host; {_ALLOWED}")
    server = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    answers = []
    for path in _PATHS:
        answers.append(_status(f"{server.rstrip('/')}/{path}", shown))
        if answers[-1] < 400 or answers[-1] in (401, 403):  # a server that asks for a login answers too
            _require_login(server, parts, shown)
            return
    if answers[0] >= 500:
        raise TrackingAway(f"the tracking server at {shown} answers with status {answers[0]}; check that it runs")
    raise RequestError(
        f"the server at {shown} is not an MLflow server (status {answers[0]}); check host, port and path"
    )


def _require_login(server: str, parts: SplitResult, shown: str) -> None:
    """Raise `RequestError` where the server asks for a login and MLflow has none; a wrong one is found by MLflow."""
    if parts.username or any(map(os.environ.get, _LOGINS)) or _LOGIN_FILE.expanduser().is_file() or _in_netrc(parts):
        return
    try:
        asks = _status(f"{server.rstrip('/')}/{_PATHS[-1]}", shown) == 401
    except RequestError:
        return  # it answered otherwise, and is slow here
    if asks:
        raise RequestError(
            f"the tracking server at {shown} asks for a login; set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )


def _in_netrc(parts: SplitResult) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(parts.hostname or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _status(url: str, shown: str) -> int:
    """The status of the answer to a GET request.

    Raises:
        TrackingAway: There is no answer.
    """
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return 200  # a server answers; whether to trust its certificate is left to MLflow
        raise TrackingAway(
            f"no tracking server can be reached at {shown} ({reason}); start it, or leave --tracking-uri out"
        ) from error
