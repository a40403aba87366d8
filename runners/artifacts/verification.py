"""Hold an exported folder to its claims: loaded, evaluated and timed again in a fresh process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.artifacts.document import ClaimedDocument, Claims
from runners.artifacts.integrity import read_claims
from runners.backends import all_backends
from runners.machine.device import describe
from runners.machine.lease import device_lease
from runners.measuring.group import combine
from runners.measuring.opening import Artifact, Baseline, TimingRequest
from runners.measuring.pair import PairResult, measure_pair
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed
from runners.workload_loading.reference import check_workload_reference
from spaces.errors import RequestError

ATTEMPTS = 3
ACCURACY_TOLERANCE = 0.005
"""An accuracy may be lower than claimed by so much."""
SPEEDUP_TOLERANCE = 0.85
"""A speedup need not be above this share of the claim: a machine has regimes that move even a ratio between minutes."""


@dataclass(frozen=True)
class Pace:
    """How long a folder is timed.

    Attributes:
        budget_s: Seconds of timing.
        rest_s: Seconds of rest after each of them.
    """

    budget_s: float
    rest_s: float


VERIFY_PACE = Pace(budget_s=9.0, rest_s=3.0)
"""Together they span half a minute of what the machine does."""
EXPORT_PACE = Pace(budget_s=6.0, rest_s=0.0)
"""For a folder that was just written."""


@dataclass(frozen=True)
class CheckedClaim:
    """One claim beside what was measured now.

    Attributes:
        name: The claimed quantity.
        claimed: What the folder says.
        found: What was measured now.
        found_ci95: Its 95 % interval.
        holds: Whether the claim holds; None where it could not be compared.
        note: Why it was not compared, or how.
    """

    name: str
    claimed: float
    found: float
    found_ci95: tuple[float, float]
    holds: bool | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def verify(
    folder: Path, *, waiting: Callable[[], None] | None = None, begun: Callable[[], None] = lambda: None
) -> list[CheckedClaim]:
    """Check every file of ``folder``, then accuracy, test accuracy and speedup against its claims.

    Where the speedup does not hold, all is measured again, up to `ATTEMPTS` times; all timings then count as one, and
    of each accuracy the lowest.

    The device is held while it measures, so this must not be called where a `device_lease` is held already.

    Args:
        folder: The exported folder.
        waiting: Called where something else on this machine is measured or trained first.
        begun: Called once the folder is known to be sound, before anything is measured.

    Raises:
        RequestError: It is not an exported folder, a file in it was changed, or no lease can be taken.
        StageFailed: The model cannot be loaded, crashes, or gives outputs that are wrong.
    """
    return _check_claims(folder, VERIFY_PACE, waiting, begun)


def require_claims(folder: Path, waiting: Callable[[], None] | None = None) -> None:
    """Raise `StageFailed` with the claims that do not hold; ``waiting`` is called where others measure first."""
    try:
        broken = [claim for claim in _check_claims(folder, EXPORT_PACE, waiting) if claim.holds is False]
    except RequestError as error:
        raise StageFailed(f"the exported folder does not hold together: {error}") from error
    if broken:
        said = "; ".join(f"{claim.name} claimed {claim.claimed:.4g}, found {claim.found:.4g}" for claim in broken)
        raise StageFailed(f"a claim does not hold: {said}")


def _check_claims(
    folder: Path, pace: Pace, waiting: Callable[[], None] | None, begun: Callable[[], None] = lambda: None
) -> list[CheckedClaim]:
    document = read_claims(folder)
    check_workload_reference(document.origin.workload)
    begun()
    request, splits = _request(folder, document, pace), _splits(document.claims)
    runs: list[PairResult] = []
    while True:
        with device_lease(exclusive=True, waiting=waiting):
            runs.append(call_fresh(measure_pair, request, splits, what="the loading process"))
        speedup = _speedup(document, combine([run.timing for run in runs]), len(runs))
        if len(runs) == ATTEMPTS or speedup.holds is not False:
            return [*_accuracies(document.claims, runs), speedup]


def _request(folder: Path, document: ClaimedDocument, pace: Pace) -> TimingRequest:
    measured = document.measured
    return TimingRequest(
        workload=document.origin.workload,
        candidates=(Artifact(folder, document.runtime.name, document.runtime.threads),),
        baseline=Baseline(None, measured.baseline_threads),
        settings=TimingSettings(pace.budget_s, measured.seed, rest_s=pace.rest_s),
    )


def _splits(claims: Claims) -> tuple[str, ...]:
    return ("validation", "test") if claims.accuracy_test is not None else ("validation",)


def _accuracies(claims: Claims, runs: Sequence[PairResult]) -> Iterator[CheckedClaim]:
    for name, claimed in (("accuracy", claims.accuracy), ("accuracy_test", claims.accuracy_test)):
        if claimed is not None:
            lowest = min((run.accuracies for run in runs), key=lambda accuracies: float(getattr(accuracies, name)))
            least = claimed - ACCURACY_TOLERANCE
            found, interval = getattr(lowest, name), getattr(lowest, f"{name}_ci95")
            yield CheckedClaim(name, claimed, found, interval, found >= least, f"holds from {least:.4f}")


def _speedup(document: ClaimedDocument, found: PairedTiming, runs: int) -> CheckedClaim:
    """No claim is held to more than the low end of its own interval."""
    claims, device = document.claims, document.measured.device
    here, interval = describe(all_backends()).device, found.speedup_ci95
    least = min(SPEEDUP_TOLERANCE * claims.speedup, claims.speedup_ci95[0])
    holds = interval[1] >= least if here == device else None
    notes = [f"holds from {least:.2f}x" if holds is not None else f"not compared: claimed on {device}, found on {here}"]
    if runs > 1:
        notes.append(f"timed {runs} times")
    if found.unstable:
        notes.append(f"not to be trusted: {found.unstable}")
    if claims.unstable:
        notes.append(f"not to be trusted when it was claimed: {claims.unstable}")
    return CheckedClaim("speedup", claims.speedup, found.speedup, interval, holds, "; ".join(notes))
