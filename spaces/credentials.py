"""Addresses as they may be shown and written to logs: without passwords and tokens."""

import re
from urllib.parse import quote

_PASSWORD = re.compile(r"(?<=://)([^:/?#@\[]*):(.*?)@(?=[^@?]*(?:\?|$))")
"""User and password of a database's URL; the password ends at the last ``@``, as the name of a database has none."""

_USER = re.compile(r"(?<=://)(?:[^:/?#@\[]*:(?!\d+(?:[/?#]|$)).*?|[^/?#@]*)@(?=[^@/?#]*(?:[/?#]|$))")
"""What stands before the host of any URL. A colon before digits and a slash begins a port, and no password."""

_SECRET = re.compile(
    r"([?&#][^=&#]*(?:passw|passphrase|pwd|token|secret|key|sig|auth|credential|odbc_connect)[^=&#]*=)[^&#]*", re.I
)
"""A value in the query of a URL whose name says that it is secret."""


def without_credentials(url: str) -> str:
    """``url`` as it may be shown: ``***`` in place of a password, also of one in the query, as in ``?token=...``.

    Of a database's URL the user's name stays. Of any other URL nothing stays before the host, where a token may stand
    in place of a name. A path comes back as it was given, and so does a URL without credentials.
    """
    if "://" not in url:
        return url
    shown = _database_without_password(url)
    return _SECRET.sub(r"\1***", _USER.sub("", url) if shown is None else shown)


def _database_without_password(url: str) -> str | None:
    """``url`` as SQLAlchemy shows it, or None where SQLAlchemy cannot read it or knows no such database."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    # To SQLAlchemy a password ends at its first "@" unless that is escaped; the rest of it would be shown.
    escaped = _PASSWORD.sub(lambda found: f"{found[1]}:{quote(found[2], safe='%')}@", url)
    try:
        read = make_url(escaped)
        read.get_dialect()
    except (ArgumentError, ValueError):
        return None
    # SQLAlchemy escapes the paths of SQLite files, so a URL without a password is left as it is.
    return url if read.password is None else read.render_as_string(hide_password=True)
