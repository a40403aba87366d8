"""Flags that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of studies, tracking and results [default: ./frontrunner-home]")
]
StorageOption = Annotated[str | None, typer.Option(help="Optuna storage URL instead of the home's SQLite file")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else")]
