"""``frontrunner verify``: what an exported folder claims, beside what is found now."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.artifacts.verification import Finding, verify
from runners.machine.telemetry import silence
from spaces.errors import WorkFailed


def verify_folder(folder: Path, *, as_json: bool) -> None:
    """Print each claim with what was found.

    Raises:
        RequestError: It is not an exported folder, or a file in it was changed.
        WorkFailed: A claim does not hold, or the model cannot be loaded.
    """
    silence()
    begin = f"loading, judging and timing {folder}, for most of a minute"
    findings = verify(folder, waiting=tell_that_it_waits, begun=lambda: print(begin, file=sys.stderr))
    broken = [finding.name for finding in findings if finding.holds is False]
    if as_json:
        found = {"folder": str(folder), "holds": not broken, "claims": [f.to_json() for f in findings]}
        print(json.dumps(found, allow_nan=False))
    else:
        Console(markup=False).print(_table(findings))
    if broken:
        raise WorkFailed(f"{folder}: the claim on {', '.join(broken)} does not hold")


def tell_that_it_waits() -> None:
    """Say why nothing happens yet."""
    print("waiting: something else on this machine is being measured or trained", file=sys.stderr)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("claim", "claimed", "found", "95 %", "holds", "note"):
        table.add_column(column)
    words = {True: "yes", False: "NO", None: "-"}
    for finding in findings:
        table.add_row(
            finding.name,
            f"{finding.claimed:.4g}",
            "" if finding.found is None else f"{finding.found:.4g}",
            "" if finding.found_ci95 is None else "{:.4g}-{:.4g}".format(*finding.found_ci95),
            words[finding.holds],
            finding.note,
        )
    return table
