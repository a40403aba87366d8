"""Hold an exported folder to its claims: loaded, evaluated and timed again in fresh processes."""

from collections.abc import Callable
from pathlib import Path

from runners.artifacts.checked_claim import CheckedClaim, check_accuracies, check_speedup
from runners.artifacts.document import ClaimedDocument
from runners.artifacts.integrity import read_claims
from runners.machine.device import device_line, usable_cores
from runners.machine.lease import device_lease
from runners.measuring.opening import Artifact, Baseline, TimingRequest
from runners.measuring.pair import PairResult, measure_pair
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed
from runners.workload_loading.reference import check_workload_reference
from spaces.errors import RequestError

ATTEMPTS = 2
"""How often a folder is measured at most: again where the first time did not show that its speedup holds."""
PROCESSES = 3
"""Fresh processes in which it is timed each time, since the speed differs from one to the other."""
VERIFY_S = 9.0
"""Seconds of timing, in all processes together."""
EXPORT_S = 6.0
"""The same for a folder that was just written."""


def verify(
    folder: Path, *, waiting: Callable[[], None] | None = None, begun: Callable[[], None] = lambda: None
) -> list[CheckedClaim]:
    """Check every file of ``folder``, then accuracy, test accuracy and speedup against its claims.

    Where the first measurement does not show that the speedup holds, all is measured once more. The claim holds where
    one of the two shows it by itself (`runners.artifacts.checked_claim`); of each accuracy the lowest counts.

    The device is held while it measures, so this must not be called where a `device_lease` is held already.

    Args:
        folder: The exported folder.
        waiting: Called where something else on this machine is measured or trained first.
        begun: Called once the folder is known to be sound, before anything is measured.

    Raises:
        RequestError: It is not an exported folder, a file in it was changed, it was measured on more threads than this
            machine has cores, or no lease can be taken.
        StageFailed: The model cannot be loaded, crashes, or gives outputs that are wrong.
    """
    return _check_claims(folder, VERIFY_S, waiting, begun)


def require_claims(folder: Path, waiting: Callable[[], None] | None = None) -> list[str]:
    """The claims of ``folder`` that could not be decided, a sentence each, by the rule of `verify`.

    Args:
        folder: The exported folder, just written.
        waiting: Called where something else on this machine is measured or trained first.

    Raises:
        StageFailed: A claim does not hold; the message says what was found.
    """
    try:
        claims = _check_claims(folder, EXPORT_S, waiting)
    except RequestError as error:
        raise StageFailed(f"the exported folder does not hold together: {error}") from error
    broken = [claim.in_words() for claim in claims if claim.holds is False]
    if broken:
        raise StageFailed(f"a claim does not hold: {'; '.join(broken)}")
    return [f"{claim.in_words()}: {claim.note}" for claim in claims if claim.holds is None]


def _check_claims(
    folder: Path, budget_s: float, waiting: Callable[[], None] | None, begun: Callable[[], None] = lambda: None
) -> list[CheckedClaim]:
    document, device = read_claims(folder), device_line()
    _require_cores(folder, document)
    check_workload_reference(document.origin.workload)
    begun()
    attempts: list[list[PairResult]] = []
    while True:
        with device_lease(exclusive=True, waiting=waiting):
            attempts.append(_measure(folder, document, budget_s))
        speedup = check_speedup(document, [[run.timing for run in runs] for runs in attempts], device)
        if speedup.holds or not speedup.comparable or len(attempts) == ATTEMPTS:
            accuracies = [run.accuracies for runs in attempts for run in runs if run.accuracies is not None]
            return [*check_accuracies(document.claims, accuracies, document.measured.quality), speedup]


def _measure(folder: Path, document: ClaimedDocument, budget_s: float) -> list[PairResult]:
    """What each of the processes measured; the first one evaluates the model, too."""
    splits = ("validation", "test") if document.claims.accuracy_test is not None else ("validation",)
    return [
        call_fresh(
            measure_pair,
            _request(folder, document, budget_s / PROCESSES, process),
            () if process else splits,
            what="the loading process",
        )
        for process in range(PROCESSES)
    ]


def _require_cores(folder: Path, document: ClaimedDocument) -> None:
    threads, cores = max(document.runtime.threads, document.measured.baseline_threads), usable_cores()
    if threads > cores:
        raise RequestError(
            f"{folder} was measured on {threads} threads, and this machine has {cores} usable cores; "
            f"verify it on a machine with {threads} or more"
        )


def _request(folder: Path, document: ClaimedDocument, budget_s: float, process: int) -> TimingRequest:
    measured, runtime = document.measured, document.runtime
    tuned, timed_inputs = measured.baseline_tuned, measured.timed_inputs
    return TimingRequest(
        workload=document.origin.workload,
        candidates=(Artifact(folder, runtime.name, runtime.threads, tuned, timed_inputs),),
        baseline=Baseline(None, measured.baseline_threads, tuned),
        settings=TimingSettings(budget_s, measured.seed + process),
        batch=measured.batch,
    )
