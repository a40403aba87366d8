"""``frontrunner verify``: the claims of an exported folder beside new measurements."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.artifacts.integrity import read_claims
from runners.artifacts.trust import workload_code
from runners.artifacts.verification import CheckedClaim, verify
from runners.machine.telemetry import disable_telemetry
from search.commands.known_exports import code_of, require_trusted
from search.commands.terminal import plain_table, report_waiting
from search.request.locations import Home
from search.stop_signals import stop_signals
from spaces.errors import WorkFailed


def verify_folder(folder: Path, home: Home, *, trust: bool, as_json: bool) -> None:
    """Print each claim of the exported ``folder`` with what is measured now.

    Args:
        folder: The folder.
        home: The home that may have exported it.
        trust: Whether code in it, and that of its workload, may run though this home did not export it so.
        as_json: Print one JSON document instead of a table.

    Raises:
        RequestError: It is not an exported folder, a file in it was changed, or it runs code that is not trusted.
        WorkFailed: A claim does not hold, or the model cannot be loaded.
    """
    disable_telemetry()
    document = read_claims(folder)
    workload = workload_code(document.origin.workload)
    found = code_of(folder, document, workload) if trust else require_trusted(folder, document, home, workload)
    runs = f", which runs {', '.join(found)}" if found else ""
    announcement = f"loading, evaluating and timing {folder}{runs}; this takes up to a minute"
    with stop_signals.cleaning_up():
        claims = verify(folder, waiting=report_waiting, begun=lambda: print(announcement, file=sys.stderr))
    broken = [claim.name for claim in claims if claim.holds is False]
    if as_json:
        shown = {"folder": str(folder), "holds": not broken, "claims": [claim.to_json() for claim in claims]}
        print(json.dumps(shown, allow_nan=False))
    else:
        Console(markup=False).print(_table(claims))
    if broken:
        raise WorkFailed(f"{folder}: the claim on {', '.join(broken)} does not hold")


def _table(claims: list[CheckedClaim]) -> Table:
    table = plain_table("claim", "claimed", "found", "95 %", "holds", "note")
    words = {True: "yes", False: "NO", None: "-"}
    for claim in claims:
        table.add_row(
            claim.name,
            f"{claim.claimed:.4g}",
            f"{claim.found:.4g}",
            "{:.4g}-{:.4g}".format(*claim.found_ci95),
            words[claim.holds],
            claim.note,
        )
    return table
