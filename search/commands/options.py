"""Options that several commands take, and how a text option becomes a value."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer import Option

from spaces.errors import RequestError
from spaces.setting_error import SettingError

HomeOption = Annotated[
    Path | None,
    Option(
        "--home",
        metavar="DIR",
        help="Folder of studies, tracking and results. [default: $FRONTRUNNER_HOME, or ./frontrunner-home]",
    ),
]
StorageOption = Annotated[
    str | None,
    Option(metavar="URL", help="URL of Optuna's database. [default: $OPTUNA_STORAGE, or an SQLite file in the home]"),
]
TrackingOption = Annotated[
    str | None,
    Option(metavar="URI", help="MLflow's tracking URI. [default: $MLFLOW_TRACKING_URI, or a file in the home]"),
]
StoreOption = Annotated[
    str | None,
    Option(
        metavar="DIR_OR_URL",
        help="Folder or URL of the stage store, which every node can reach. [default: in the home folder]",
    ),
]
AddressOption = Annotated[
    str | None,
    Option(metavar="ADDRESS", help="Ray cluster as HOST:PORT. [default: $RAY_ADDRESS, or an instance on this machine]"),
]


def show_version(asked: bool) -> None:
    """Print the version on stdout and exit, where it was ``asked`` for."""
    if asked:
        typer.echo(f"frontrunner {metadata.version('frontrunner')}")
        raise typer.Exit


VersionOption = Annotated[bool, Option("--version", callback=show_version, is_eager=True, help="Show the version.")]
TrustOption = Annotated[
    bool, Option("--trust", help="Run its code even if it was not exported from this home, or was changed since.")
]
JsonOption = Annotated[bool, Option("--json", help="Print one JSON document on stdout and nothing else.")]

Value = TypeVar("Value")


def parse_option(name: str, text: str, parse: Callable[[str], Value]) -> Value:
    """The value that ``parse`` makes of the ``text`` of the option ``name``.

    Raises:
        RequestError: ``parse`` refuses the text; the message names the option.
    """
    try:
        return parse(text)
    except SettingError as error:
        raise RequestError(f"{name} {text}: {error}") from error
