"""The options of ``frontrunner cache`` and its subcommands; like `search.cli` it imports nothing heavy."""

from typing import Annotated

import typer
from typer import Argument, Option

from search.commands.options import HomeOption, JsonOption, StoreOption
from spaces.errors import RequestError

cache = typer.Typer(
    help="Show how much the stage store holds; list, prune or limit it.",
    epilog="Example: frontrunner cache --home shared/frontrunner-home",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@cache.callback()
def size(
    context: typer.Context, home: HomeOption = None, stage_store: StoreOption = None, json: JsonOption = False
) -> None:
    """Show how much the stage store holds; list, prune or limit it."""
    if context.invoked_subcommand is None:
        from search.commands.cache import find_store, show_size

        show_size(find_store(home, stage_store), as_json=json)
    elif home or stage_store or json:
        raise RequestError(
            f"options belong behind the subcommand: `frontrunner cache {context.invoked_subcommand} --home ...`"
        )


@cache.command("list", epilog="Example: frontrunner cache list --json")
def list_entries(
    everything: Annotated[bool, Option("--all", help="All of them, with their whole configurations.")] = False,
    home: HomeOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List the stored results, the most recently used first."""
    from search.commands.cache import find_store, show_entries

    show_entries(find_store(home, stage_store), everything=everything, as_json=json)


@cache.command(epilog="Example: frontrunner cache prune --to 5GiB --dry-run")
def prune(
    to: Annotated[
        str | None, Option(metavar="SIZE", help="Remove results until the store has at most this size, such as 5GiB.")
    ] = None,
    older_than: Annotated[
        str | None, Option(metavar="TIME", help="Remove results that were not used for this long, such as 30d.")
    ] = None,
    quarantine: Annotated[bool, Option("--quarantine", help="Remove damaged results.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only print what would be removed.")] = False,
    home: HomeOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Remove results, the least recently used first. Results that a search on this machine uses are kept.

    Results that `frontrunner export` needs for the front of a finished study are removed last, and never because of
    their age.
    """
    from search.commands.cache import PruneOptions, find_store, prune_store

    options = PruneOptions(to, older_than, quarantine, dry_run)
    prune_store(find_store(home, stage_store), options, as_json=json)


@cache.command(epilog="Example: frontrunner cache limit 20GiB")
def limit(
    size: Annotated[str, Argument(metavar="SIZE", help="Largest size, such as 20GiB, or none.")],
    home: HomeOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Limit the size of the stage store, now and for later results.

    The least recently used results are removed.
    """
    from search.commands.cache import find_store, set_limit

    set_limit(find_store(home, stage_store), size, as_json=json)
