"""When a claim of an exported folder holds: pure functions of the folder's document and of what was measured now.

A timing is made in several fresh processes (`runners.measuring.group.combine`). A speedup holds by it where the upper
end of its 95 % interval reaches the claim, and its estimate is at least `LEAST_SHARE` of the claim. The claim was
measured too, so the interval is that of the difference between the two measurements: upwards, in logarithms, it is the
root of the sum of squares of the timing's own half-width and of the claim's. With the timing's own alone, 8 of 100 true
claims would be refused where both are equally precise, instead of 2 or 3. A claim that comes from a single process, as
that of a search without a final measurement, does not know how much processes differ: the spread of those that time it
now counts for it, too. However wide an interval is, `LEAST_SHARE` stays.

Where the first timing does not show that it holds, there is a second one, and the claim holds where one of the two
shows it by itself. Their intervals are not joined: a joined one reaches further than either, the further the more often
one tries. The price of a second timing is that a wrong claim has two chances; both are shown, so that a reader sees
whether it needed them.

A timing that is not to be trusted, as on a busy machine, decides nothing, neither for the claim nor against it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from runners.artifacts.document import ClaimedDocument, Claims
from runners.measuring.group import combine
from runners.measuring.interval import student_factor
from runners.measuring.paired_timing import PairedTiming
from runners.metric import ACCURACY, QualityMetric
from runners.quality.quality import Accuracies

ACCURACY_TOLERANCE = 0.005
"""An accuracy may be worse than claimed by so much; of a metric that is no fraction, by that share of the claim."""
LEAST_SHARE = 0.9
"""A speedup whose estimate is below this share of the claim does not hold, however wide its interval is."""
ROUNDING = 1e-9
"""What a logarithm and its exponential may lose, as a share."""


@dataclass(frozen=True)
class Attempt:
    """One timing of an exported model, held to the claimed speedup by itself.

    Attributes:
        found: The speedup.
        found_ci95: Its 95 % interval.
        reach: The upper end of the interval with the error of the claim added, which has to reach the claim.
        unstable: Why not to trust it, or an empty string.
        holds: Whether the claim holds by this timing; None where it decides nothing.
    """

    found: float
    found_ci95: tuple[float, float]
    reach: float
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


def check_speedup(document: ClaimedDocument, timings: Sequence[Sequence[PairedTiming]], device: str) -> CheckedClaim:
    """The claimed speedup beside all ``timings`` on ``device``, one at least, each made in several processes."""
    claimed, comparable = document.claims.speedup, document.measured.device == device
    attempts = tuple(_attempt(document, runs, comparable) for runs in timings)
    verdicts = [attempt.holds for attempt in attempts if attempt.holds is not None]
    best = max(attempts, key=lambda attempt: (attempt.holds is True, attempt.holds is not None, attempt.found))
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


def check_accuracies(
    claims: Claims, measured: Sequence[Accuracies], metric: QualityMetric = ACCURACY
) -> list[CheckedClaim]:
    """The claimed accuracies beside the worst that was ``measured`` of each, by this ``metric``."""
    found = []
    for name, claimed in (("accuracy", claims.accuracy), ("accuracy_test", claims.accuracy_test)):
        if claimed is not None:
            worst = min(measured, key=lambda accuracies: metric.sign * float(getattr(accuracies, name)))
            value, interval = getattr(worst, name), getattr(worst, f"{name}_ci95")
            bound = metric.improved(claimed, -metric.allowance(ACCURACY_TOLERANCE, claimed))
            holds = metric.drop(value, bound) <= 0
            found.append(CheckedClaim(name, claimed, value, interval, holds, _bound_text(bound, metric)))
    return found


def _bound_text(bound: float, metric: QualityMetric) -> str:
    shown = f"{bound:.4f}" if metric.is_fraction else f"{bound:.5g} {metric.shown_unit}"
    return f"holds {'from' if metric.higher_is_better else 'up to'} {shown}".rstrip()


def reach(document: ClaimedDocument, runs: Sequence[PairedTiming]) -> float:
    """The upper end of the interval of a timing, made in several processes, widened by the error of the claim."""
    claims, timing = document.claims, combine(runs)
    own = math.log(timing.speedup_ci95[1] / timing.speedup)
    of_claim = max(0.0, math.log(claims.speedup / claims.speedup_ci95[0]))
    unknown = _spread(runs) if document.measured.processes == 1 and len(runs) > 1 else 0.0
    return timing.speedup * math.exp(math.hypot(own, of_claim, unknown))


def _spread(runs: Sequence[PairedTiming]) -> float:
    """How far, as a logarithm, one process is from the mean of many in 95 of 100 cases, from some of them."""
    deviation = np.std(np.log([run.speedup for run in runs]), ddof=1)
    return student_factor(len(runs)) * float(deviation)


def _attempt(document: ClaimedDocument, runs: Sequence[PairedTiming], comparable: bool) -> Attempt:
    claimed, timing, reached = document.claims.speedup * (1 - ROUNDING), combine(runs), reach(document, runs)
    holds = reached >= claimed and timing.speedup >= LEAST_SHARE * claimed
    decides = comparable and not timing.unstable
    return Attempt(
        found=timing.speedup,
        found_ci95=timing.speedup_ci95,
        reach=reached,
        unstable=timing.unstable,
        holds=holds if decides else None,
    )


def _notes(document: ClaimedDocument, attempts: Sequence[Attempt], device: str) -> Iterator[str]:
    claims, measured = document.claims, document.measured
    if measured.device == device:
        reached = " and ".join(f"{attempt.reach:.4g}x" for attempt in attempts)
        yield (
            f"holds from {LEAST_SHARE * claims.speedup:.4g}x with an interval that reaches {claims.speedup:.4g}x; "
            f"with the claim's own error it reaches {reached}"
        )
    else:
        yield f"not compared: claimed on {measured.device}, found on {device}"
    if len(attempts) > 1:
        yield f"timed {len(attempts)} times, as the first did not show that it holds; one has to show it by itself"
    for number, attempt in enumerate(attempts, start=1):
        if attempt.unstable:
            yield f"attempt {number} decides nothing: {attempt.unstable}"
    if claims.unstable:
        yield f"not to be trusted when it was claimed: {claims.unstable}"
