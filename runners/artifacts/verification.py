"""Hold an exported folder to its claims: loaded, judged and timed anew in a fresh process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.artifacts.document import ClaimedDocument, Claims
from runners.artifacts.integrity import read_claims
from runners.backends import all_backends
from runners.machine.device import describe
from runners.machine.lease import device_lease
from runners.measuring.group import combine
from runners.measuring.opening import Artifact, Baseline
from runners.measuring.pair import PairRequest, PairResult, measure_pair
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings
from runners.processes.fresh_process import call_fresh
from runners.runner import StageFailed
from runners.workload_loading.reference import check_workload_reference
from spaces.errors import RequestError

THOROUGH: Mapping[str, float] = {"budget_s": 9.0, "rest_s": 3.0}
"""Seconds of timing, and of rest after each of them: together they span half a minute of what the machine does."""
IN_A_ROW: Mapping[str, float] = {"budget_s": 6.0, "rest_s": 0.0}
"""For a folder that was just written."""
ATTEMPTS = 3
ACCURACY_SLACK = 0.005
SPEEDUP_SLACK = 0.85
"""A shared machine has regimes that move even a ratio by some percent between minutes."""

TELLING = 0.02
"""A baseline that took so much longer than the shortest time known of it, as a share, is told."""


@dataclass(frozen=True)
class Finding:
    """One claim beside what was found.

    Attributes:
        name: The claimed quantity.
        claimed: What the folder says.
        found: What was measured now, or None where it was not.
        found_ci95: Its 95 % interval, where it has one.
        holds: Whether the claim holds; None where it could not be compared.
        note: Why it was not compared, or how.
    """

    name: str
    claimed: float
    found: float | None
    found_ci95: tuple[float, float] | None
    holds: bool | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def verify(
    folder: Path,
    waiting: Callable[[], None] | None = None,
    pace: Mapping[str, float] = THOROUGH,
    begun: Callable[[], None] = lambda: None,
) -> list[Finding]:
    """Check every file of ``folder``, then accuracy, test accuracy and speedup against its claims.

    Where the speedup does not hold, all is measured again, up to `ATTEMPTS` times; all timings then count as one, and
    of each accuracy the lowest.

    The device is held while it measures, so this must not be called where a `device_lease` is held already.

    Args:
        folder: The exported folder.
        waiting: Called where something else on this machine is measured or trained first.
        pace: How long it is timed, and with what rest.
        begun: Called once the folder is known to be sound, before anything is measured.

    Raises:
        RequestError: It is not an exported folder, a file in it was changed, or no lease can be taken.
        StageFailed: The model cannot be loaded, crashes, or gives outputs that are wrong.
    """
    document = read_claims(folder)
    check_workload_reference(document.origin.workload)
    begun()
    request = _request(folder, document, pace)
    runs: list[PairResult] = []
    while True:
        with device_lease(exclusive=True, waiting=waiting):
            runs.append(call_fresh(measure_pair, request, what="the loading process"))
        speedup = _speedup(document.claims, combine([run.timing for run in runs]), document.measured.device, len(runs))
        if len(runs) == ATTEMPTS or speedup.holds is not False:
            return [*_accuracies(document.claims, runs), speedup]


def require_claims(folder: Path, waiting: Callable[[], None] | None = None) -> None:
    """Raise `StageFailed` with the claims that do not hold; ``waiting`` is called where others measure first."""
    try:
        broken = [f for f in verify(folder, waiting, IN_A_ROW) if f.holds is False]
    except RequestError as error:
        raise StageFailed(f"the exported folder does not hold together: {error}") from error
    if broken:
        said = "; ".join(f"{f.name} claimed {f.claimed:.4g}, found {f.found:.4g}" for f in broken)
        raise StageFailed(f"a claim does not hold: {said}")


def _request(folder: Path, document: ClaimedDocument, pace: Mapping[str, float]) -> PairRequest:
    measured = document.measured
    return PairRequest(
        workload=document.origin.workload,
        artifact=Artifact(folder, document.runtime.name, document.runtime.threads),
        baseline=Baseline(None, measured.baseline_threads),
        splits=("validation", "test") if document.claims.accuracy_test is not None else ("validation",),
        settings=TimingSettings(pace["budget_s"], measured.seed, rest_s=pace["rest_s"]),
        baseline_minima={machine: minimum.model_dump() for machine, minimum in measured.baseline_minima.items()},
    )


def _accuracies(claims: Claims, runs: Sequence[PairResult]) -> Iterator[Finding]:
    for name, claimed in (("accuracy", claims.accuracy), ("accuracy_test", claims.accuracy_test)):
        if claimed is not None:
            lowest = min((run.accuracies for run in runs), key=lambda accuracies: float(getattr(accuracies, name)))
            least = claimed - ACCURACY_SLACK
            found, interval = getattr(lowest, name), getattr(lowest, f"{name}_ci95")
            yield Finding(name, claimed, found, interval, found >= least, f"holds from {least:.4f}")


def _speedup(claims: Claims, found: PairedTiming, device: str, runs: int) -> Finding:
    """No claim is held to more than the low end of its own interval."""
    here, interval = describe(all_backends()).device, found.speedup_ci95
    least = min(SPEEDUP_SLACK * claims.speedup, claims.speedup_ci95[0])
    holds = interval[1] >= least if here == device else None
    notes = [f"holds from {least:.2f}x" if holds is not None else f"not compared: claimed on {device}, found on {here}"]
    if runs > 1:
        notes.append(f"timed {runs} times")
    if (above := found.machine.get("baseline_excess", 0.0)) >= TELLING:
        notes.append(f"the baseline took {above:.0%} longer than the shortest time known of it, which is allowed for")
    if found.unstable:
        notes.append(f"not to be trusted: {found.unstable}")
    if claims.unstable:
        notes.append(f"not to be trusted when it was claimed: {claims.unstable}")
    return Finding("speedup", claims.speedup, found.speedup, interval, holds, "; ".join(notes))
