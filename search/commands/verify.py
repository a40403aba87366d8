"""``frontrunner verify``: the claims of an exported folder beside new measurements."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.artifacts.verification import CheckedClaim, verify
from runners.machine.telemetry import disable_telemetry
from search.commands.terminal import plain_table, report_waiting
from search.stop_signals import stop_signals
from spaces.errors import WorkFailed


def verify_folder(folder: Path, *, as_json: bool) -> None:
    """Print each claim of the exported ``folder`` with what is measured now.

    Raises:
        RequestError: It is not an exported folder, or a file in it was changed.
        WorkFailed: A claim does not hold, or the model cannot be loaded.
    """
    disable_telemetry()
    announcement = f"loading, evaluating and timing {folder}; this takes up to a minute"
    with stop_signals.cleaning_up():
        claims = verify(folder, waiting=report_waiting, begun=lambda: print(announcement, file=sys.stderr))
    broken = [claim.name for claim in claims if claim.holds is False]
    if as_json:
        document = {"folder": str(folder), "holds": not broken, "claims": [claim.to_json() for claim in claims]}
        print(json.dumps(document, allow_nan=False))
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
