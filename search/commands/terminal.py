"""What several commands print: the front of a study, plain tables, and why nothing happens yet."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Column, Table

from dashboards.cost_table import cost_table
from dashboards.front_table import render
from dashboards.headline import headline
from dashboards.trial_table import trial_table


def print_front(
    document: Mapping[str, Any],
    resume: str,
    next_commands: Sequence[str] = (),
    *,
    costs: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Print the front document as a table and a sentence, then the commands that could come next.

    Args:
        document: The front document.
        resume: The command that continues the study.
        next_commands: The commands.
        costs: Whether a table of what each member costs follows that of the front.
        stream: Where to; stdout by default.
    """
    console = Console(file=stream)
    console.print()
    console.print(render(document, console.width, resume))
    if costs:
        console.print()
        console.print(cost_table(document))
    print_next(console, document, next_commands)


def print_trials(console: Console, document: Mapping[str, Any], everything: Mapping[str, Any]) -> None:
    """Print all trials of a study as a table.

    Args:
        console: Where to.
        document: The front document.
        everything: What `search.front.front_document.all_trials` gave.
    """
    console.print()
    console.print(trial_table(document, everything["all"], everything["off"], console.width))


def print_next(console: Console, document: Mapping[str, Any], next_commands: Sequence[str]) -> None:
    """Print the front in a sentence, then the commands that could come next."""
    console.print()
    console.print(headline(document), style="bold", highlight=False, soft_wrap=True)
    if next_commands:
        console.print("\nnext:", style="dim")
        for command in next_commands:
            console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)


def plain_table(*columns: str | Column) -> Table:
    """An empty table without lines; a column that is given by its title alone is aligned to the left."""
    return Table(*columns, box=None, header_style="bold")


def number_column(title: str, least: int | None = None) -> Column:
    """A column of `plain_table` that is aligned to the right, never broken into lines, and has so many characters."""
    return Column(title, justify="right", no_wrap=True, min_width=least)


def report_waiting() -> None:
    """Print on stderr that the measurement waits for another one."""
    print("waiting: another measurement or training is running on this machine", file=sys.stderr)
