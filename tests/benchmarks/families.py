"""Which family of networks goes through which technique and which runtime, tried on the smallest of each family.

    python tests/benchmarks/families.py                                   hours; a table for each technique
    python tests/benchmarks/families.py --json                            one JSON document on stdout
    python tests/benchmarks/families.py --family swin --runtime openvino  a part of it
    python tests/benchmarks/families.py --keep FILE                       goes on from FILE, which gets every cell
    python tests/benchmarks/families.py --keep FILE --only-kept           tries nothing, and shows what FILE has

Networks are those of torchvision with new weights; what changes a network is not followed by training, as when a search
times it. A cell works where the artifact gives finite outputs of the right shape that agree with those of the network
that it was lowered from, called by PyTorch, by the tolerance of its number format. It is not offered where a search of
that choice would not begin, and the reason is the one that a search or `frontrunner doctor --workload` gives.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parts.family_cells import RUNTIMES, TECHNIQUES, Cell, cells_of
from parts.family_workloads import SMALLEST

MARKS = {"works": "{:.0f} s", "not offered": "-", "failed": "FAILED"}


def main() -> None:
    """Run what is asked for and print it."""
    options = _options()
    began, kept = time.perf_counter(), _read(options.keep)
    done = {
        (cell.family, cell.technique, cell.runtime): cell
        for cell in kept
        if not (options.again and cell.status == "failed")
    }
    for family in options.family:
        pairs = [(technique, runtime) for technique in options.technique for runtime in options.runtime]
        missing = [pair for pair in pairs if (family, *pair) not in done]
        for cell in cells_of(family, missing) if missing and not options.only_kept else ():
            done[cell.family, cell.technique, cell.runtime] = cell
            what = f"{family}, {cell.technique}, {cell.runtime}"
            print(f"{what}: {MARKS[cell.status].format(cell.seconds)} {cell.reason}", file=sys.stderr, flush=True)
            _write(options.keep, [*done.values()])
    wanted = [
        done[family, technique, runtime]
        for technique in options.technique
        for family in options.family
        for runtime in options.runtime
        if (family, technique, runtime) in done
    ]
    found = {**summary(wanted), "wall_s": round(time.perf_counter() - began, 1)}
    if options.json:
        print(json.dumps({**found, "cells": [asdict(cell) for cell in wanted]}, indent=1))
    else:
        tables = (as_table(wanted, technique) for technique in options.technique)
        print(*tables, as_overview(wanted), as_text(found), sep="\n\n")


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """How many cells there are, are offered, and work."""
    offered = [cell for cell in cells if cell.status != "not offered"]
    works = sum(cell.status == "works" for cell in cells)
    return {"tried": len(cells), "offered": len(offered), "work": works}


def as_text(found: dict[str, Any]) -> str:
    """The summary in a sentence."""
    share = f" ({found['work'] / found['offered']:.1%})" if found["offered"] else ""
    return f"{found['tried']} cells, {found['offered']} offered, {found['work']} of them work{share}"


def as_table(cells: Sequence[Cell], technique: str) -> str:
    """The families of one technique below each other, the runtimes beside each other, and the reasons."""
    own = [cell for cell in cells if cell.technique == technique]
    runtimes = list(dict.fromkeys(cell.runtime for cell in own))
    by_place = {(cell.family, cell.runtime): MARKS[cell.status].format(cell.seconds) for cell in own}
    lines = [f"{technique:16}" + "".join(f"{runtime:>13}" for runtime in runtimes)]
    for family in dict.fromkeys(cell.family for cell in own):
        lines.append(f"{family:16}" + "".join(f"{by_place.get((family, runtime), ''):>13}" for runtime in runtimes))
    reasons: dict[tuple[str, str], list[str]] = {}
    for cell in own:
        if cell.reason:
            reasons.setdefault((cell.status, cell.reason), []).append(f"{cell.family} in {cell.runtime}")
    for (status, reason), places in reasons.items():
        where = ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
        lines.append(f"  {status}: {where}: {reason}")
    return "\n".join(lines)


def as_overview(cells: Sequence[Cell]) -> str:
    """How many cells work of those offered, by runtime: of each family, and then of each technique.

    A dash means that none was offered, and nothing that none was tried.
    """
    runtimes = list(dict.fromkeys(cell.runtime for cell in cells))
    rows = [f"| work / offered | {' | '.join(runtimes)} |", f"|---{'|---' * len(runtimes)}|"]
    for field in ("family", "technique"):
        for name in dict.fromkeys(getattr(cell, field) for cell in cells):
            counted = [
                summary([cell for cell in cells if getattr(cell, field) == name and cell.runtime == runtime])
                for runtime in runtimes
            ]
            shown = [f"{n['work']} / {n['offered']}" if n["offered"] else "-" * (n["tried"] > 0) for n in counted]
            rows.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=SMALLEST, metavar="NAME", help=", ".join(SMALLEST))
    parser.add_argument("--technique", action="append", choices=TECHNIQUES, metavar="NAME", help=", ".join(TECHNIQUES))
    parser.add_argument("--runtime", action="append", choices=RUNTIMES, metavar="NAME", help=", ".join(RUNTIMES))
    parser.add_argument("--keep", type=Path, help="a JSON file: cells in it are not tried again")
    parser.add_argument("--again", action="store_true", help="try those again that failed")
    parser.add_argument("--only-kept", action="store_true", help="try nothing")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name, every in (("family", SMALLEST), ("technique", TECHNIQUES), ("runtime", RUNTIMES)):
        setattr(options, name, list(dict.fromkeys(getattr(options, name) or every)))
    return options


def _read(file: Path | None) -> list[Cell]:
    if file is None or not file.exists():
        return []
    return [Cell(**cell) for cell in json.loads(file.read_text(encoding="utf-8"))]


def _write(file: Path | None, cells: Sequence[Cell]) -> None:
    if file is not None:
        written = file.with_suffix(".new")
        written.write_text(json.dumps([asdict(cell) for cell in cells], indent=1), encoding="utf-8")
        written.replace(file)


if __name__ == "__main__":
    main()
