"""``frontrunner cache``: what the stage store holds, and removing results from it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column

from dashboards.formatting import configuration_text
from runners.store.eviction_order import StoreEntry
from runners.store.location import open_store
from runners.store.remote_files import is_url
from runners.store.stage_store import StageStore
from search.commands.options import parse_option
from search.commands.terminal import number_column, plain_table
from search.request.locations import Home
from search.request.units import parse_duration, parse_size, size_text
from spaces.errors import RequestError


@dataclass(frozen=True)
class PruneOptions:
    """What ``frontrunner cache prune`` removes.

    Attributes:
        to: Size down to which it removes results, as text; None sets no size.
        older_than: Time since the last use from which on it removes results, as text; None sets no time.
        quarantine: Whether it removes damaged results.
        dry_run: Whether it only prints what it would remove.
    """

    to: str | None
    older_than: str | None
    quarantine: bool
    dry_run: bool


def find_store(home: Path | None, stage_store: str | None) -> StageStore:
    """The stage store that the options name; it is not created.

    Raises:
        RequestError: There is no stage store.
    """
    if stage_store and is_url(stage_store):
        return open_store(stage_store)
    found = Home.find(home)
    folder = Path(stage_store).expanduser() if stage_store else found.stages
    if not (folder / "entries").is_dir():
        named = f"--stage-store {stage_store}" if stage_store else f"--home {found.path}"
        raise RequestError(f"{named}: there is no stage store; run `frontrunner search` or name another")
    return open_store(folder)


def show_size(store: StageStore, *, as_json: bool) -> None:
    """Print the store's size and limit, its results by stage, damaged results, and the programs that use it."""
    with _os_errors_reported(store):
        entries, damaged = store.capacity.entries(), store.capacity.quarantined()
        document: dict[str, Any] = {
            "stage_store": str(store),
            "bytes": _total(entries) + _total(damaged),
            "limit_bytes": store.capacity.limit,
            "entries": len(entries),
            "stages": _by_stage(store, entries),
            "quarantine": {"entries": len(damaged), "bytes": _total(damaged)},
            "in_use_by": store.capacity.in_use_by(),
        }
    if as_json:
        print(json.dumps(document))
    else:
        _print_size(document)


def _print_size(document: dict[str, Any]) -> None:
    table = plain_table("stage", *map(number_column, ("results", "size")))
    for stage, part in document["stages"].items():
        table.add_row(stage, str(part["entries"]), size_text(part["bytes"]))
    damaged = document["quarantine"]
    if damaged["entries"]:
        table.add_row("damaged", str(damaged["entries"]), size_text(damaged["bytes"]))
    limit = document["limit_bytes"]
    allowed = "no limit" if limit is None else f"limit {size_text(limit)}"
    size = f"{size_text(document['bytes'])} in {document['entries']} results"
    console = Console()
    console.print(f"{document['stage_store']}: {size}, {allowed}", highlight=False)
    console.print(table)
    if document["in_use_by"]:
        console.print(f"in use by {', '.join(document['in_use_by'])}", highlight=False)


MOST_LISTED = 20


def show_entries(store: StageStore, *, everything: bool, as_json: bool) -> None:
    """Print results: key, stage, size, age, last use, and the configuration for which each was first computed.

    Args:
        store: The stage store.
        everything: All, with their whole configurations; else the `MOST_LISTED` used most recently, a line each.
        as_json: Print all as one JSON document.
    """
    with _os_errors_reported(store):
        entries = sorted(store.capacity.entries(), key=lambda entry: -entry.used)
        rows = [_row(store, entry) for entry in entries]
    if as_json:
        print(json.dumps({"stage_store": str(store), "entries": rows}))
        return
    names = (Column(title, no_wrap=True, min_width=12) for title in ("key", "stage"))
    sizes = (number_column(title, least=9) for title in ("size", "made", "last used"))
    whole = Column("configuration", overflow="fold")
    table = plain_table(*names, *sizes, whole if everything else Column("configuration", no_wrap=True))
    for row in rows if everything else rows[:MOST_LISTED]:
        ages = [_age(row[name]) for name in ("made", "used")]
        configuration = configuration_text(row["configuration"], {})
        if everything:
            configuration = " ".join(f"{name}={value}" for name, value in sorted(row["configuration"].items()))
        table.add_row(row["key"][:12], row["stage"], size_text(row["bytes"]), *ages, configuration)
    console = Console()
    console.print(table)
    if len(rows) > MOST_LISTED and not everything:
        console.print(f"and {len(rows) - MOST_LISTED} more: --all lists them, with their whole configurations")


def prune_store(store: StageStore, options: PruneOptions, *, as_json: bool) -> None:
    """Remove what the options ask for, and print how much space that frees.

    Raises:
        RequestError: The options ask for nothing, or a size or time cannot be read.
    """
    if options.to is None and options.older_than is None and not options.quarantine:
        raise RequestError("prune: give --to SIZE, --older-than TIME or --quarantine, or several of them")
    size = None if options.to is None else parse_option("--to", options.to, parse_size)
    age = None if options.older_than is None else parse_option("--older-than", options.older_than, parse_duration)
    before = None if age is None else time.time() - age
    with _os_errors_reported(store):
        damaged = store.capacity.quarantined() if options.quarantine else []
        if damaged and not options.dry_run:
            store.capacity.empty_quarantine()
        asked = size is not None or before is not None
        removed = store.capacity.evict(most_bytes=size, used_before=before, dry_run=options.dry_run) if asked else []
        keys = {entry.key: None for entry in removed}
        left = _total([entry for entry in store.capacity.entries() if entry.key not in keys])
    freed = _total(removed) + _total(damaged)
    if as_json:
        document = {"removed": list(keys), "quarantine": len(damaged), "freed_bytes": freed}
        print(json.dumps({"dry_run": options.dry_run, **document}))
        return
    verb = "would free" if options.dry_run else "freed"
    print(f"{verb} {size_text(freed)}: {len(keys)} results, {len(damaged)} damaged results")
    if size is not None and left > size:
        user = next(iter(store.capacity.in_use_by()), "this command")
        print(f"{size_text(left)} are kept: they were used since {user} began")


def set_limit(store: StageStore, size: str, *, as_json: bool) -> None:
    """Limit the store to ``size``, or lift the limit with ``none``, and remove what is beyond it.

    Raises:
        RequestError: ``size`` is not a size.
    """
    limit = None if size == "none" else parse_option("SIZE", size, parse_size)
    with _os_errors_reported(store):
        store.capacity.set_limit(limit)
        removed = store.capacity.evict(most_bytes=limit) if limit is not None else []
    freed = _total(removed)
    if as_json:
        print(json.dumps({"limit_bytes": limit, "removed": [entry.key for entry in removed], "freed_bytes": freed}))
        return
    print(f"limit: {'none' if limit is None else size_text(limit)}; freed {size_text(freed)}")


@contextmanager
def _os_errors_reported(store: StageStore) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RequestError(f"the stage store {store} cannot be read or written ({error.strerror})") from error


def _by_stage(store: StageStore, entries: Sequence[StoreEntry]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for entry in entries:
        part = found.setdefault(_row(store, entry)["stage"], {"entries": 0, "bytes": 0})
        part["entries"] += 1
        part["bytes"] += entry.size
    return dict(sorted(found.items(), key=lambda item: -item[1]["bytes"]))


def _row(store: StageStore, entry: StoreEntry) -> dict[str, Any]:
    manifest = store.capacity.manifest(entry.key)
    origin = manifest.get("origin", {})
    return {
        "key": entry.key,
        "stage": origin.get("stage", "damaged"),
        "bytes": entry.size,
        "made": manifest.get("made", entry.used),
        "used": entry.used,
        "configuration": json.loads(origin.get("configuration", "{}")),
    }


def _total(entries: Sequence[StoreEntry]) -> int:
    return sum(entry.size for entry in entries)


def _age(since: float) -> str:
    minutes = max(0.0, time.time() - since) / 60
    if minutes < 60:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} d ago"
