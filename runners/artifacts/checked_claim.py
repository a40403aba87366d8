"""When a claim of an exported folder holds: pure functions of the folder's document and of what was measured now.

A speedup holds by one timing where the upper end of its 95 % interval reaches the claim, and its estimate is at least
`LEAST_SHARE` of the claim. Where the first timing does not show that, there is a second one, and the claim holds where
one of the two shows it by itself. The intervals are not joined: a joined one reaches further than either, the further
the more often one tries. Nor are the estimates averaged: the claim has a sampling error as large as that of a timing,
so an interval of the mean, which is narrower, would refuse more true claims than one timing does. The price is that a
wrong claim has two chances; both timings are shown, so that a reader sees whether it needed them.

A timing that is not to be trusted, as on a busy machine, decides nothing, neither for the claim nor against it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from runners.artifacts.document import ClaimedDocument, Claims
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.quality import Accuracies

ACCURACY_TOLERANCE = 0.005
"""An accuracy may be lower than claimed by so much."""
LEAST_SHARE = 0.9
"""A speedup whose estimate is below this share of the claim does not hold, however wide its interval is."""


@dataclass(frozen=True)
class Attempt:
    """One timing of an exported model, held to the claimed speedup by itself.

    Attributes:
        found: The speedup.
        found_ci95: Its 95 % interval.
        unstable: Why not to trust it, or an empty string.
        holds: Whether the claim holds by this timing; None where it decides nothing.
    """

    found: float
    found_ci95: tuple[float, float]
    unstable: str
    holds: bool | None


@dataclass(frozen=True)
class CheckedClaim:
    """One claim beside what was measured now.

    Attributes:
        name: The claimed quantity.
        claimed: What the folder says.
        found: What was measured now; of several attempts the best.
        found_ci95: Its 95 % interval.
        holds: Whether the claim holds; None where that is not decided.
        note: What it takes to hold, or why it is not decided.
        comparable: Whether it can be judged here; a speedup of another machine cannot.
        attempts: All timings of a speedup, in their order; empty for an accuracy.
    """

    name: str
    claimed: float
    found: float
    found_ci95: tuple[float, float]
    holds: bool | None
    note: str
    comparable: bool = True
    attempts: tuple[Attempt, ...] = ()

    @property
    def is_undecided(self) -> bool:
        """Whether it could be judged here and was not, because no timing can be trusted."""
        return self.comparable and self.holds is None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    def in_words(self) -> str:
        """What was claimed, and what each attempt found."""
        found = [(one.found, one.found_ci95) for one in self.attempts] or [(self.found, self.found_ci95)]
        said = " and ".join(f"{value:.4g} ({low:.4g} to {high:.4g})" for value, (low, high) in found)
        return f"{self.name} claimed {self.claimed:.4g}, found {said}"


def check_speedup(document: ClaimedDocument, timings: Sequence[PairedTiming], device: str) -> CheckedClaim:
    """The claimed speedup beside all ``timings`` on ``device``, one at least."""
    claimed, comparable = document.claims.speedup, document.measured.device == device
    attempts = tuple(_attempt(claimed, timing, comparable) for timing in timings)
    verdicts = [attempt.holds for attempt in attempts if attempt.holds is not None]
    best = max(attempts, key=lambda attempt: (attempt.holds is True, attempt.found))
    return CheckedClaim(
        name="speedup",
        claimed=claimed,
        found=best.found,
        found_ci95=best.found_ci95,
        holds=any(verdicts) if verdicts else None,
        note="; ".join(_notes(document, attempts, device)),
        comparable=comparable,
        attempts=attempts,
    )


def check_accuracies(claims: Claims, measured: Sequence[Accuracies]) -> list[CheckedClaim]:
    """The claimed accuracies beside the lowest that was ``measured`` of each."""
    found = []
    for name, claimed in (("accuracy", claims.accuracy), ("accuracy_test", claims.accuracy_test)):
        if claimed is not None:
            lowest = min(measured, key=lambda accuracies: float(getattr(accuracies, name)))
            value, interval = getattr(lowest, name), getattr(lowest, f"{name}_ci95")
            least = claimed - ACCURACY_TOLERANCE
            found.append(CheckedClaim(name, claimed, value, interval, value >= least, f"holds from {least:.4f}"))
    return found


def _attempt(claimed: float, timing: PairedTiming, comparable: bool) -> Attempt:
    holds = timing.speedup_ci95[1] >= claimed and timing.speedup >= LEAST_SHARE * claimed
    decides = comparable and not timing.unstable
    return Attempt(timing.speedup, timing.speedup_ci95, timing.unstable, holds if decides else None)


def _notes(document: ClaimedDocument, attempts: Sequence[Attempt], device: str) -> Iterator[str]:
    claims, measured = document.claims, document.measured
    if measured.device == device:
        yield f"holds from {LEAST_SHARE * claims.speedup:.4g}x with an interval that reaches {claims.speedup:.4g}x"
    else:
        yield f"not compared: claimed on {measured.device}, found on {device}"
    if len(attempts) > 1:
        yield f"timed {len(attempts)} times, as the first did not show that it holds; one has to show it by itself"
    for number, attempt in enumerate(attempts, start=1):
        if attempt.unstable:
            yield f"attempt {number} decides nothing: {attempt.unstable}"
    if claims.unstable:
        yield f"not to be trusted when it was claimed: {claims.unstable}"
