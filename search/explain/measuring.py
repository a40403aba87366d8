"""Measures the variants of a candidate: which are timed beside each other, and which are trained and evaluated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runners.chains.chain import Variant
from runners.measuring.contrasts import Contrast
from runners.runner import StageTask
from search.driver.search_context import SearchContext
from search.explain.carrying_out import Ended, carry_out
from search.explain.effects import Pair, wanted_contrasts, without
from search.explain.time_left import TimeLeft
from search.explain.variants import MEMBER, Variants, trainings
from spaces.configuration import Configuration
from spaces.errors import WorkFailed

IsStored = Callable[[str], bool]


@dataclass
class Measured:
    """What was measured of a candidate's variants.

    Attributes:
        contrasts: What the timing gave, by the names of `search.explain.effects`.
        ended: What came of building and evaluating the candidate without each choice, by choice.
        built: What came of building what is timed, by the name of the variant.
        untrained: Why a variant has no accuracy, by choice.
        timed: The pairs of choices that were timed.
        left_out: What was not measured and why, a sentence each.
    """

    contrasts: dict[str, Contrast] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)
    built: dict[str, Ended] = field(default_factory=dict)
    untrained: dict[str, str] = field(default_factory=dict)
    timed: list[Pair] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def measure(
    search: SearchContext, variants: Variants, known: Mapping[str, int], is_stored: IsStored, left: TimeLeft
) -> Measured:
    """Build and evaluate the candidate without each choice, then time all variants beside each other.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        variants: What is measured.
        known: The trials that measured the accuracy of a variant before, by the choice that it lacks.
        is_stored: Whether the stage store has the result of a key.
        left: What may be trained, and how long all may take.

    Raises:
        WorkFailed: The candidate itself cannot be built any more.
        MachineFailed: The machine failed.
    """
    found = Measured()
    needed = {MEMBER: variants.member, **{without(n): one.configuration for n, one in variants.singles.items()}}
    found.built = _build(search, variants, needed, is_stored, left)
    if MEMBER not in found.built or found.built[MEMBER].failure:
        reason = found.built[MEMBER].failure if MEMBER in found.built else "its speed depends on its training"
        raise WorkFailed(f"the candidate itself cannot be timed: {reason}")
    _evaluate(search, variants, known, is_stored, left, found)
    pairs = _affordable_pairs(variants, found, left)
    both = {without(*pair): variants.pairs[pair].configuration for pair in pairs}
    found.built |= _build(search, variants, both, is_stored, left)
    _time(search, variants, pairs, is_stored, found)
    return found


def _build(
    search: SearchContext,
    variants: Variants,
    configurations: Mapping[str, Configuration],
    is_stored: IsStored,
    left: TimeLeft,
) -> dict[str, Ended]:
    """Make what is timed; what would have to be trained for it is made only where there is time for that."""
    wanted = {name: (one, variants.artifact(one)) for name, one in configurations.items()}

    def may_begin(name: str) -> bool:
        return not trainings(wanted[name][1], is_stored) or left.why_untrained(len(variants.choices)) is None

    return carry_out(search, wanted, may_begin)


def _evaluate(
    search: SearchContext,
    variants: Variants,
    known: Mapping[str, int],
    is_stored: IsStored,
    left: TimeLeft,
    found: Measured,
) -> None:
    """Train and evaluate the candidate without each choice of which no trial knows the accuracy."""
    wanted = {
        name: (one.configuration, variants.trained(one.configuration))
        for name, one in variants.singles.items()
        if name not in known
    }

    def may_begin(choice: str) -> bool:
        reason = left.why_untrained(len(variants.choices)) if trainings(wanted[choice][1], is_stored) else None
        if reason:
            found.untrained[choice] = reason
        return reason is None

    found.ended = carry_out(search, wanted, may_begin)


def _affordable_pairs(variants: Variants, found: Measured, left: TimeLeft) -> list[Pair]:
    """The pairs that are timed in the time that is left; those of different kinds come first."""
    broken = {name for name in variants.choices if _is_broken(found, without(name))}
    pairs = [pair for pair in variants.pairs if variants.is_independent(pair) and broken.isdisjoint(pair)]
    pairs.sort(key=lambda pair: variants.kind_of(pair[0]) == variants.kind_of(pair[1]))
    most = max(0, left.most_timed() - len(variants.choices))
    if len(pairs) > most:
        found.left_out.append(
            f"{len(pairs) - most} of {len(pairs)} pairs of choices were not timed, as the time budget ends; give more "
            "with --time-budget"
        )
    return pairs[:most]


def _time(search: SearchContext, variants: Variants, pairs: list[Pair], is_stored: IsStored, found: Measured) -> None:
    """Time everything that could be built in one run."""
    singles = [name for name in variants.choices if not _is_broken(found, without(name))]
    found.timed = [pair for pair in pairs if not _is_broken(found, without(*pair))]
    configurations = {MEMBER: variants.member}
    configurations |= {without(name): variants.singles[name].configuration for name in singles}
    configurations |= {without(*pair): variants.pairs[pair].configuration for pair in found.timed}
    arms, arm_of = variants.arms(configurations)
    contrasts = wanted_contrasts(singles, found.timed, arm_of)
    if not contrasts:
        return
    needed = {arm for weights in contrasts.values() for arm in weights}
    task = _next_occasion(search, {name: arm for name, arm in arms.items() if name in needed}, contrasts, is_stored)
    search.observer.note(f"timing {len(needed)} variants beside each other")
    outcome = search.run_alone(task)
    if outcome.failure:
        found.left_out.append(f"the variants could not be timed beside each other: {outcome.failure}")
        return
    found.contrasts = {name: Contrast.from_json(one) for name, one in outcome.result["contrasts"].items()}


def _next_occasion(
    search: SearchContext, arms: Mapping[str, Variant], contrasts: Mapping[str, Mapping[str, int]], is_stored: IsStored
) -> StageTask:
    """The timing as it was made before, where that can be trusted; else the next one."""
    occasion = 0
    while True:
        task = search.chains.contrasting(arms, contrasts, occasion)
        if not is_stored(task.key):
            return task
        outcome = search.run_alone(task)
        if not any(one["unstable"] for one in outcome.result.get("contrasts", {}).values()):
            return task
        occasion += 1


def _is_broken(found: Measured, variant: str) -> bool:
    return variant not in found.built or found.built[variant].failure is not None
