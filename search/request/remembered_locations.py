"""What a study remembers of its locations, so that its name is enough to continue and to export it.

What lies in the home folder is remembered by its path from there, or not at all where that is the default: the home may
be moved, copied or mounted elsewhere. Credentials are never remembered.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboards.tracking.sqlite_url import sqlite_url
from search.request.locations import Home, Locations, from_environment
from spaces.credentials import without_credentials
from spaces.errors import RequestError

NAMES = {"tracking_uri": "tracking", "stage_store": "stages"}
"""What is remembered, and the name that it has in the study."""
_MLFLOW_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN")
"""Variables from which MLflow itself takes the credentials of a server."""


def to_json(locations: Locations) -> dict[str, Any]:
    """What a study remembers of ``locations``.

    ``tracking`` and ``stages`` where they are not the default: a URL without credentials, a folder, or ``{"in_home":
    PATH}``; in ``credentials`` the names of those that were given with some; and ``home`` where the database of studies
    lies outside of it.
    """
    home = locations.folder
    given = {name: value for name in NAMES if (value := getattr(locations, name)) is not None}
    found: dict[str, Any] = {
        NAMES[name]: _to_json(without_credentials(value), home)
        for name, value in given.items()
        if value != {"tracking_uri": home.tracking, "stage_store": str(home.stages)}[name]
    }
    found["credentials"] = [NAMES[name] for name, value in given.items() if without_credentials(value) != value]
    if locations.storage is not None and _path_in_home(locations.storage, home) is None:
        found["home"] = str(home.path)
    return found


def recall_home(known: Mapping[str, Any], given: Locations) -> Locations:
    """``given``, with the home that the study had, where none is given and its database does not lie in that one."""
    home, storage = known.get("home"), given.storage or from_environment("storage")
    named = given.home or os.environ.get("FRONTRUNNER_HOME")
    if named or home is None or storage is None or not Path(home).is_dir():
        return given
    return given if _path_in_home(storage, Home(Path(home))) is not None else replace(given, home=home)


def recall(known: Mapping[str, Any], given: Locations) -> Locations:
    """The locations of a study that goes on: those given, else what it remembers, else the environment's.

    Args:
        known: What `to_json` gave when the study was run last.
        given: The locations that options give.
    """
    found = recall_home(known, given)
    before = Home(Path(known["home"])) if "home" in known else found.folder
    for name, key in NAMES.items():
        if getattr(found, name) is None and known.get(key) and not _is_in_environment(name, known[key]):
            value = known[key] if isinstance(known[key], dict) else _to_json(known[key], before)
            found = replace(found, **{name: _from_json(name, value, found.folder)})
    return found.with_environment()


def require_credentials(study: str, known: Mapping[str, Any], given: Locations, names: tuple[str, ...]) -> None:
    """Raise `RequestError` where one of ``names`` needs credentials, which a study does not remember.

    Args:
        study: Name of the study.
        known: What `to_json` gave when the study was run last.
        given: The locations that options give.
        names: Fields of `Locations` that are needed.
    """
    for name in names:
        url = str(known.get(NAMES[name], ""))
        if NAMES[name] not in known.get("credentials", ()) or getattr(given, name) is not None:
            continue
        by_variable = (
            name == "tracking_uri" and url.startswith("http") and any(map(os.environ.get, _MLFLOW_CREDENTIALS))
        )
        if not by_variable and not _is_in_environment(name, url):
            how = " or in MLFLOW_TRACKING_URI" if name == "tracking_uri" else ""
            raise RequestError(
                f"study {study!r} uses {url} with credentials, which are not kept: "
                f"give the URL with them again, with --{name.replace('_', '-')}{how}"
            )


def _is_in_environment(name: str, url: Any) -> bool:
    """Whether the environment gives the same address, perhaps with credentials."""
    given = from_environment(name) if name == "tracking_uri" else None
    return given is not None and without_credentials(given) == url


def _to_json(location: str, home: Home) -> str | dict[str, str]:
    path = _path_in_home(location, home)
    return location if path is None else {"in_home": path.as_posix()}


def _from_json(name: str, value: str | Mapping[str, str], home: Home) -> str:
    if isinstance(value, str):
        return value
    path = home.path / value["in_home"]
    return sqlite_url(path) if name == "tracking_uri" else str(path)


def _path_in_home(location: str, home: Home) -> Path | None:
    """The path from ``home`` to a folder, or to an SQLite file given by its URL; None where it lies elsewhere."""
    if "://" not in location:
        path = Path(location)
    elif location.startswith("sqlite") and "?" not in location:
        from sqlalchemy import make_url

        path = Path(make_url(location).database or "")
    else:
        return None
    folders = [folder for folder in (home.path, home.path.resolve()) if path.is_relative_to(folder)]
    return path.relative_to(folders[0]) if folders else None
