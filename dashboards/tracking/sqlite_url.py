"""The URL of an SQLite file, as SQLAlchemy, Optuna and MLflow read it, whatever characters its path has."""

from pathlib import Path

from spaces.errors import RequestError

_ESCAPED: dict[str, str] = {character: f"%{ord(character):02X}" for character in "%?#{}"}
"""``%``, ``?`` and ``#`` have a meaning in a URL, and braces have one to Optuna."""


def sqlite_url(path: Path) -> str:
    """The URL of the SQLite file ``path``, which is absolute.

    Raises:
        RequestError: The installed SQLAlchemy cannot read a path with these characters from a URL.
    """
    text = str(path)
    escaped = "".join(_ESCAPED.get(character, character) for character in text)
    if escaped == text:
        return f"sqlite:///{text}"
    # With the driver's name in the URL MLflow does not make a folder of the escaped name.
    url = f"sqlite+pysqlite:///{escaped}"
    from sqlalchemy import make_url

    if make_url(url).database != text:
        raise RequestError(f"{path}: the installed SQLAlchemy takes no path with {' '.join(_ESCAPED)}; name another")
    return url
