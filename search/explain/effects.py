"""From timings to effects: what a choice gives, what all give together, and what two give beyond each alone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from runners.measuring.contrasts import BASELINE, Contrast
from search.explain.variants import MEMBER

Pair = tuple[str, str]
Weights = dict[str, int]
TOGETHER = "together"
"""The name of the contrast of the member with the baseline."""
ROUNDING = 1e-9
"""Products of ratios that are exactly 1 differ from it by so much at most."""


def without(*names: str) -> str:
    """The name of the variant that lacks the choices ``names``."""
    return f"without {' and '.join(names)}"


def wanted_contrasts(singles: Iterable[str], pairs: Iterable[Pair], arm_of: Mapping[str, str]) -> dict[str, Weights]:
    """The weights of the contrasts, by their name; those in which nothing is left to compare are missing.

    With t the time of a call, a choice gives t(without it) / t(member). Two choices give together, beyond the product
    of what each gives to a model that has neither, t(without the one) t(without the other) / (t(member) t(without
    both)): above 1 they gain from each other, below 1 they get in each other's way. As logarithms that is log speedup
    of both, less that of the one, less that of the other.

    Args:
        singles: The choices.
        pairs: Two choices each.
        arm_of: Which arm is timed for each variant; those of one artifact have one arm.
    """
    named: dict[str, Weights] = {TOGETHER: {BASELINE: 1, MEMBER: -1}}
    named |= {name: {without(name): 1, MEMBER: -1} for name in singles}
    for first, second in pairs:
        weights = {without(first): 1, without(second): 1, MEMBER: -1, without(first, second): -1}
        named[pair_name((first, second))] = weights
    found = {name: _by_arm(weights, arm_of) for name, weights in named.items()}
    return {name: weights for name, weights in found.items() if weights}


def pair_name(pair: Pair) -> str:
    """The name of the contrast of two choices."""
    return " and ".join(pair)


def effect(contrast: Contrast | None, resolution: float) -> dict[str, Any] | None:
    """A contrast as JSON: ``ratio``, ``ci95``, ``unstable``, and whether it is ``significant``; None stays None.

    It is significant where it is trusted, its interval does not hold 1, and it differs from 1 by more than the
    resolution of the study.

    Args:
        contrast: What was measured.
        resolution: The smallest relative difference in speed that means something on this machine.
    """
    if contrast is None:
        return None
    low, high = contrast.ci95
    beyond = max(contrast.value, 1 / contrast.value) > 1 + resolution + ROUNDING
    significant = not contrast.unstable and beyond and not low <= 1 <= high
    return {
        "ratio": contrast.value,
        "ci95": [low, high],
        "unstable": contrast.unstable,
        "significant": significant,
    }


def remainder(together: float, singles: Iterable[float]) -> float:
    """What is left of the speedup of all choices ``together`` once what each gives is divided out.

    Above 1 the choices give more together than what each adds to the others; below 1 they share some of it.
    """
    rest = together
    for ratio in singles:
        rest /= ratio
    return rest


def _by_arm(weights: Weights, arm_of: Mapping[str, str]) -> Weights:
    """The weights of the arms, without those that cancel out."""
    total: Counter[str] = Counter()
    for variant, weight in weights.items():
        total[arm_of.get(variant, variant)] += weight
    return {arm: weight for arm, weight in total.items() if weight}
