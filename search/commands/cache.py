"""What the stage store of a home holds, and making it smaller."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from runners.store.eviction import StoreEntry
from runners.store.location import open_store
from runners.store.remote_files import is_url
from runners.store.stage_store import StageStore
from search.request.locations import Home
from search.request.units import parse_duration, parse_size, size_text
from spaces.errors import RequestError
from spaces.setting_error import SettingError


def find_store(home: Path | None, stage_store: str | None) -> StageStore:
    """The stage store that the flags name; none is made.

    Raises:
        RequestError: There is none.
    """
    if stage_store and is_url(stage_store):
        return open_store(stage_store)
    folder = Path(stage_store).expanduser() if stage_store else Home.find(home).stages
    if not (folder / "entries").is_dir():
        named = f"--stage-store {stage_store}" if stage_store else f"--home {Home.find(home).path}"
        raise RequestError(f"{named}: there is no stage store; run `frontrunner search` or name another")
    return open_store(folder)


def refuse_before_subcommand(command: str, home: Path | None, stage_store: str | None, *, as_json: bool) -> None:
    """Raise `RequestError` where flags stand before a subcommand, which would not see them."""
    if home or stage_store or as_json:
        raise RequestError(f"flags belong behind the subcommand: `frontrunner cache {command} --home ...`")


def show_size(store: StageStore, *, as_json: bool) -> None:
    """Print the store's size, limit, entries by stage, users and what was set aside."""
    with _writable(store):
        entries, aside = store.capacity.entries(), store.capacity.quarantined()
        document: dict[str, Any] = {
            "stage_store": str(store),
            "bytes": _total(entries) + _total(aside),
            "limit_bytes": store.capacity.limit,
            "entries": len(entries),
            "stages": _by_stage(store, entries),
            "quarantine": {"entries": len(aside), "bytes": _total(aside)},
            "in_use_by": store.capacity.in_use_by(),
        }
    if as_json:
        print(json.dumps(document))
        return
    table = _table("stage", "results", "size")
    for stage, part in document["stages"].items():
        table.add_row(stage, str(part["entries"]), size_text(part["bytes"]))
    if aside:
        table.add_row("set aside as damaged", str(len(aside)), size_text(_total(aside)))
    limit = document["limit_bytes"]
    allowed = "no limit" if limit is None else f"limit {size_text(limit)}"
    console = Console()
    console.print(f"{store}: {size_text(document['bytes'])} in {len(entries)} results, {allowed}", highlight=False)
    console.print(table)
    if document["in_use_by"]:
        console.print(f"in use by {', '.join(document['in_use_by'])}", highlight=False)


def show_entries(store: StageStore, *, as_json: bool) -> None:
    """Print every entry: key, stage, size, age, last use and the configuration that first asked for it."""
    with _writable(store):
        entries = sorted(store.capacity.entries(), key=lambda entry: -entry.used)
        rows = [_row(store, entry) for entry in entries]
    if as_json:
        print(json.dumps({"stage_store": str(store), "entries": rows}))
        return
    table = _table("key", "stage", "size", "made", "last used")
    table.add_column("configuration", overflow="fold")
    for row in rows:
        ages = [_age(row[name]) for name in ("made", "used")]
        table.add_row(row["key"][:12], row["stage"], size_text(row["bytes"]), *ages, _shown(row["configuration"]))
    Console().print(table)


def prune_store(
    store: StageStore, *, to: str | None, older_than: str | None, quarantine: bool, dry_run: bool, as_json: bool
) -> None:
    """Remove what the flags ask for and print what was freed.

    Raises:
        RequestError: The flags ask for nothing, or for what is no size or time.
    """
    if to is None and older_than is None and not quarantine:
        raise RequestError("prune: give --to SIZE, --older-than TIME or --quarantine, or several of them")
    most = None if to is None else _flag("--to", to, parse_size)
    before = None if older_than is None else time.time() - _flag("--older-than", older_than, parse_duration)
    with _writable(store):
        aside = store.capacity.quarantined() if quarantine else []
        if aside and not dry_run:
            store.capacity.empty_quarantine()
        asked = most is not None or before is not None
        gone = store.capacity.evict(most_bytes=most, used_before=before, dry_run=dry_run) if asked else []
        left = store.capacity.entries() if not dry_run else _without(store.capacity.entries(), gone)
    freed = _total(gone) + _total(aside)
    if as_json:
        keys = [entry.key for entry in gone]
        print(json.dumps({"dry_run": dry_run, "removed": keys, "quarantine": len(aside), "freed_bytes": freed}))
        return
    verb = "would free" if dry_run else "freed"
    print(f"{verb} {size_text(freed)}: {len(gone)} results, {len(aside)} set aside as damaged")
    if most is not None and _total(left) > most:
        print(f"{size_text(_total(left))} stay: the rest was used since {_oldest_user(store)} began")


def set_limit(store: StageStore, size: str, *, as_json: bool) -> None:
    """Limit the store, or lift its limit, and make it as small at once.

    Raises:
        RequestError: ``size`` is none.
    """
    limit = None if size == "none" else _flag("SIZE", size, parse_size)
    with _writable(store):
        store.capacity.set_limit(limit)
        gone = store.capacity.evict(most_bytes=limit) if limit is not None else []
    if as_json:
        print(json.dumps({"limit_bytes": limit, "removed": [e.key for e in gone], "freed_bytes": _total(gone)}))
        return
    print(f"limit: {'none' if limit is None else size_text(limit)}; freed {size_text(_total(gone))}")


@contextmanager
def _writable(store: StageStore) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RequestError(f"the stage store {store} cannot be read or written ({error.strerror})") from error


def _flag(name: str, given: str, parse: Any) -> Any:
    try:
        return parse(given)
    except SettingError as error:
        raise RequestError(f"{name} {given}: {error}") from error


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


def _oldest_user(store: StageStore) -> str:
    return next(iter(store.capacity.in_use_by()), "this command")


def _without(entries: Sequence[StoreEntry], gone: Sequence[StoreEntry]) -> list[StoreEntry]:
    removed = {entry.key for entry in gone}
    return [entry for entry in entries if entry.key not in removed]


def _total(entries: Sequence[StoreEntry]) -> int:
    return sum(entry.size for entry in entries)


def _shown(configuration: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(configuration.items()))


def _age(since: float) -> str:
    minutes = max(0.0, time.time() - since) / 60
    if minutes < 60:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} d ago"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    return table
