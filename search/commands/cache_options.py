"""``frontrunner cache``: the flags of its subcommands. Like `search.cli` it imports nothing heavy."""

from typing import Annotated

import typer

from search.commands.options import HomeOption, JsonOption

StoreOption = Annotated[str | None, typer.Option(help="Folder or URL of the stage store [default: in the home]")]

cache = typer.Typer(
    help="Show how much the stage store holds; list it, make it smaller, or limit it.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@cache.callback()
def size(
    context: typer.Context, home: HomeOption = None, stage_store: StoreOption = None, json: JsonOption = False
) -> None:
    """Show how much the stage store holds; list it, make it smaller, or limit it."""
    from search.commands.cache import find_store, refuse_before_subcommand, show_size

    if context.invoked_subcommand:
        refuse_before_subcommand(context.invoked_subcommand, home, stage_store, as_json=json)
    else:
        show_size(find_store(home, stage_store), as_json=json)


@cache.command("list")
def list_entries(home: HomeOption = None, stage_store: StoreOption = None, json: JsonOption = False) -> None:
    """List the results that are kept, the most recently used first."""
    from search.commands.cache import find_store, show_entries

    show_entries(find_store(home, stage_store), as_json=json)


@cache.command()
def prune(
    to: Annotated[str | None, typer.Option(help="Remove until no more than this is left, such as 5GiB")] = None,
    older_than: Annotated[str | None, typer.Option(help="Remove what was not used for so long, such as 30d")] = None,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="Remove what was set aside as damaged")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed")] = False,
    home: HomeOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Remove results, the least recently used first; what a search that runs on this machine uses stays.

    What the fronts of finished studies need for `frontrunner export` goes last, and never for its age.
    """
    from search.commands.cache import find_store, prune_store

    store = find_store(home, stage_store)
    prune_store(store, to=to, older_than=older_than, quarantine=quarantine, dry_run=dry_run, as_json=json)


@cache.command()
def limit(
    size: Annotated[str, typer.Argument(help="Such as 20GiB, or none")],
    home: HomeOption = None,
    stage_store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Keep the stage store to this size from now on: what was not used for longest goes."""
    from search.commands.cache import find_store, set_limit

    set_limit(find_store(home, stage_store), size, as_json=json)
