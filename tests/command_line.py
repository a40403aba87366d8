"""The command line as the guides see it: its commands and their flags."""

from typing import Any

import typer

from search.cli import app

COMMAND: Any = typer.main.get_command(app)


def subcommands(command: Any, path: str = "frontrunner") -> dict[str, Any]:
    """Every command that does something, by what a person types."""
    inner = getattr(command, "commands", {})
    own = {} if inner and not getattr(command, "invoke_without_command", False) else {path: command}
    return own | {name: c for sub in inner for name, c in subcommands(inner[sub], f"{path} {sub}").items()}


def flags_of(command: Any) -> set[str]:
    """The flags of one command."""
    return {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}
