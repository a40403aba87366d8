"""``frontrunner verify``: the claims of an exported folder beside new measurements."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.artifacts.checked_claim import Attempt, CheckedClaim
from runners.artifacts.document import ClaimedDocument
from runners.artifacts.integrity import read_claims
from runners.artifacts.trust import workload_code
from runners.artifacts.verification import verify
from runners.machine.telemetry import disable_telemetry
from runners.metric import QualityMetric
from runners.workload_loading.user_module import quiet
from search.commands.known_exports import code_of, require_trusted
from search.commands.terminal import plain_table, report_waiting
from search.request.locations import Home
from search.stop_signals import stop_signals
from spaces.errors import WorkFailed

WORDS = {True: "yes", False: "NO", None: "-"}


def verify_folder(folder: Path, home: Home, *, trust: bool, as_json: bool) -> None:
    """Print each claim of the exported ``folder`` with what is measured now.

    Args:
        folder: The folder.
        home: The home that may have exported it.
        trust: Whether code in it, and that of its workload, may run though this home did not export it so.
        as_json: Print one JSON document instead of a table.

    Raises:
        RequestError: It is not an exported folder, a file in it was changed, it runs code that is not trusted, or it
            was measured on more threads than this machine has cores.
        WorkFailed: A claim does not hold or could not be decided, or the model cannot be loaded.
    """
    disable_telemetry()
    document = read_claims(folder)
    workload = workload_code(document.origin.workload)
    found = code_of(folder, document, workload) if trust else require_trusted(folder, document, home, workload)
    runs = f", which runs {', '.join(found)}" if found else ""
    announcement = (
        f"loading, evaluating and timing {folder}{runs}; this takes up to a minute, and as long again where the "
        "first timing does not show that the speedup holds"
    )
    with stop_signals.cleaning_up(), quiet():
        claims = verify(folder, waiting=report_waiting, begun=lambda: print(announcement, file=sys.stderr))
    broken = [claim for claim in claims if claim.holds is False]
    undecided = [claim for claim in claims if claim.is_undecided]
    if as_json:
        shown = {
            "folder": str(folder),
            "holds": False if broken else None if undecided else True,
            "batch": document.measured.batch,
            "threads": {"model": document.runtime.threads, "baseline": document.measured.baseline_threads},
            "claims": [claim.to_json() for claim in claims],
        }
        print(json.dumps(shown, allow_nan=False))
    else:
        console = Console(markup=False)
        console.print(_table(claims, document.measured.quality))
        console.print(_sides(document), highlight=False, soft_wrap=True)
    if broken:
        raise WorkFailed(f"{folder}: a claim does not hold: {'; '.join(claim.in_words() for claim in broken)}")
    if undecided:
        raise WorkFailed(
            f"{folder}: the claim on {', '.join(claim.name for claim in undecided)} could not be decided, since no "
            "timing can be trusted; verify it again when less runs on this machine"
        )


def _sides(document: ClaimedDocument) -> str:
    """What was timed against what, and on how many threads each."""
    threads, baseline_threads = document.runtime.threads, document.measured.baseline_threads
    batch = f"; {document.measured.batch} inputs a call" if document.measured.batch != 1 else ""
    return (
        f"the model: {document.runtime.name}, {_threads(threads)}; "
        f"the baseline: PyTorch eager, fp32, {_threads(baseline_threads)}{batch}"
    )


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def _table(claims: list[CheckedClaim], metric: QualityMetric) -> Table:
    table = plain_table("claim", "claimed", "found", "95 %", "holds", "note")
    for claim in claims:
        count = len(claim.attempts)
        name = f"{claim.name}, best of {count}" if count > 1 else claim.name.replace("accuracy", metric.name)
        _add_row(table, name, claim.claimed, claim, claim.note)
        if count > 1:
            worst = min(claim.attempts, key=lambda attempt: attempt.found)
            _add_row(table, f"{claim.name}, worst of {count}", claim.claimed, worst, "")
    return table


def _add_row(table: Table, name: str, claimed: float, found: CheckedClaim | Attempt, note: str) -> None:
    interval = "{:.4g}-{:.4g}".format(*found.found_ci95)
    table.add_row(name, f"{claimed:.4g}", f"{found.found:.4g}", interval, WORDS[found.holds], note)
