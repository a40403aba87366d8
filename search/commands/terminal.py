"""The front on a person's screen: the table, the sentence that matters, and what to type next."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from dashboards.front_document import headline
from dashboards.front_table import render


def print_front(document: Mapping[str, Any], commands: Sequence[str] = ()) -> None:
    """Print the front document on stdout, with ``commands`` as what could come next."""
    console = Console()
    console.print()
    console.print(render(document, console.width))
    console.print()
    console.print(headline(document), style="bold", highlight=False, soft_wrap=True)
    if commands:
        console.print("\nnext:", style="dim")
        for command in commands:
            console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)
