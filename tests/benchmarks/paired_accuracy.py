"""How often intervals of the difference between two accuracies hold the true one, and how wide they are.

    python tests/benchmarks/paired_accuracy.py           a minute, two tables
    python tests/benchmarks/paired_accuracy.py --json    one JSON document on stdout

The first table is for the share of correct answers: two artifacts answer the same examples, of which given shares are
answered correctly by one of them alone, and 90 % by both. Samples of the examples are drawn from that; each interval is
compared with the true difference. The second is for metrics that are no mean over examples, on classes of unequal size,
where one artifact gives a share of the other's answers: the intervals are made of the metrics on shared resamples.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from runners.quality.answers import RESAMPLES
from runners.quality.paired_difference import Z, proportions_ci95, resampled_ci95
from runners.quality.quality import wilson

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]
SHARES = ((0.002, 0.002), (0.01, 0.002), (0.005, 0.02), (0.02, 0.02), (0.05, 0.01), (0.0, 0.01), (0.06, 0.03))
"""Of the examples, those that the first and the second alone answer correctly."""
POPULATION = 400_000


def wald(gained: Any, lost: Any, examples: int) -> Interval:
    """The difference and its standard error, as if the counts were large."""
    first, second = gained / examples, lost / examples
    half = Z * np.sqrt((first + second - (first - second) ** 2) / examples)
    return first - second - half, first - second + half


def tango(gained: Any, lost: Any, examples: int) -> Interval:
    """The score interval (Tango, 1998), by bisection."""

    def statistic(difference: Any) -> Any:
        b = -gained - lost + (2 * examples - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        q = (np.sqrt(np.maximum(b * b - 8 * examples * c, 0)) - b) / (4 * examples)
        variance = examples * (2 * q + difference * (1 - difference))
        return (gained - lost - examples * difference) / np.sqrt(np.maximum(variance, 1e-300))

    def end(outside: float, sign: int) -> Any:
        far, near = np.full(gained.shape, outside), (gained - lost) / examples
        for _ in range(60):
            middle = (far + near) / 2
            beyond = sign * statistic(middle) > Z
            far, near = np.where(beyond, middle, far), np.where(beyond, near, middle)
        return far

    return end(-1 + 1e-9, 1), end(1 - 1e-9, -1)


def mcnemar(gained: Any, lost: Any, examples: int) -> Interval:
    """Clopper and Pearson's interval of the share that the first one gains, the discordant count taken as given."""
    discordant = gained + lost
    low = np.where(gained == 0, 0, beta.ppf(0.025, gained, lost + 1))
    high = np.where(lost == 0, 1, beta.ppf(0.975, gained + 1, lost))
    return (2 * low - 1) * discordant / examples, (2 * high - 1) * discordant / examples


def percentiles(gained: Any, lost: Any, examples: int) -> Interval:
    """The percentile bootstrap over examples."""
    random = np.random.default_rng(2)
    rest = examples - gained - lost
    shares = np.stack([gained, lost, rest], axis=1) / examples
    counts = random.multinomial(examples, shares[:, None], (len(gained), RESAMPLES))
    low, high = np.quantile((counts[..., 0] - counts[..., 1]) / examples, [0.025, 0.975], axis=1)
    return low, high


PAIRED = {
    "Bonett-Price": proportions_ci95,
    "Tango": tango,
    "McNemar": mcnemar,
    "Wald": wald,
    "percentiles": percentiles,
}


def of_shares(samples: int) -> Iterator[dict[str, Any]]:
    """For each setting of `SHARES` the coverage and the half-width of each interval."""
    random = np.random.default_rng(1)
    for examples in (100, 300, 1000, 2000):
        for gain, loss in SHARES:
            counts = random.multinomial(examples, [gain, loss, 0.9, 0.1 - gain - loss], samples)
            gained, lost, both = counts[:, 0], counts[:, 1], counts[:, 2]
            found = {name: interval(gained, lost, examples) for name, interval in PAIRED.items()}
            ours, theirs = (
                np.array([wilson(share, examples) for share in (both + alone) / examples]).T for alone in (gained, lost)
            )
            found["unpaired"] = ours[0] - theirs[1], ours[1] - theirs[0]
            setting = f"{examples:5} examples, {100 * gain:.1f} % gained, {100 * loss:.1f} % lost"
            yield {"setting": setting} | {name: judged(*ends, gain - loss) for name, ends in found.items()}


def f1(counts: Any) -> Any:
    """Of the last class, from confusion matrices ``(..., classes, classes)``."""
    right = counts[..., -1, -1]
    return 2 * right / np.maximum(counts[..., -1, :].sum(-1) + counts[..., :, -1].sum(-1), 1)


def macro_f1(counts: Any) -> Any:
    """The mean over classes."""
    right, asked = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1) + counts.sum(-2)
    return np.where(asked > 0, 2 * right / np.maximum(asked, 1), 0).mean(-1)


def balanced_accuracy(counts: Any) -> Any:
    """The mean of the classes' recalls."""
    return (np.diagonal(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum(-1), 1)).mean(-1)


METRICS: tuple[tuple[Callable[[Any], Any], list[float]], ...] = (
    (f1, [0.9, 0.1]),
    (macro_f1, [0.6, 0.2, 0.1, 0.07, 0.03]),
    (balanced_accuracy, [0.6, 0.2, 0.1, 0.07, 0.03]),
)
ANSWERED = (((0.95, 0.93), 0.95), ((0.95, 0.95), 0.98), ((0.95, 0.90), 0.8), ((0.9, 0.9), 0.5))
"""The accuracies of both, and the share of answers that the second has from the first."""


def of_metrics(samples: int) -> Iterator[dict[str, Any]]:
    """For each metric and setting of `ANSWERED` the coverage and the half-width of each interval."""
    for metric, prior in METRICS:
        for examples in (100, 300, 1000):
            for accuracies, copied in ANSWERED:
                found, truth = _of_metric(metric, prior, examples, accuracies, copied, samples)
                setting = f"{examples:5} examples, {metric.__name__}, {accuracies}, {copied} shared"
                yield {"setting": setting} | {name: judged(*ends.T, truth) for name, ends in found.items()}


def _of_metric(
    metric: Any, prior: list[float], examples: int, accuracies: tuple[float, float], copied: float, samples: int
) -> tuple[dict[str, Floats], float]:
    """The intervals ``(samples, 2)`` by name, and the true difference."""
    random, classes = np.random.default_rng(0), len(prior)
    targets = random.choice(classes, POPULATION, p=prior)
    wrong = (targets + random.integers(1, classes, POPULATION)) % classes
    ours, theirs = (np.where(random.random(POPULATION) < right, targets, wrong) for right in accuracies)
    theirs = np.where(random.random(POPULATION) < copied, ours, theirs)

    def values(outputs: Any, chosen: Any) -> Any:
        """The metric on each row of the ``chosen`` examples."""
        cells = np.arange(len(chosen))[:, None] * classes**2 + targets[chosen] * classes + outputs[chosen]
        return metric(np.bincount(cells.ravel(), minlength=len(chosen) * classes**2).reshape(-1, classes, classes))

    everyone = np.arange(POPULATION)[None]
    truth = float(values(ours, everyone)[0] - values(theirs, everyone)[0])
    draws = np.random.RandomState(0).randint(0, examples, (RESAMPLES, examples))
    found: dict[str, list[Any]] = {"this one": [], "percentiles": [], "unpaired": []}
    for _ in range(samples):
        chosen = random.integers(0, POPULATION, examples)[draws]
        one, other = values(ours, chosen), values(theirs, chosen)
        found["this one"].append(resampled_ci95(one - other, examples))
        found["percentiles"].append(np.quantile(one - other, [0.025, 0.975]))
        (low, high), (least, most) = (np.quantile(each, [0.025, 0.975]) for each in (one, other))
        found["unpaired"].append((low - most, high - least))
    return {name: np.array(ends) for name, ends in found.items()}, truth


def judged(low: Floats, high: Floats, truth: float) -> tuple[float, float]:
    """How many of 100 intervals hold the truth, and their mean half-width in accuracy points."""
    held = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
    return round(100 * float(np.mean(held)), 1), round(50 * float(np.mean(high - low)), 2)


def as_table(rows: list[dict[str, Any]]) -> str:
    """One line a setting: coverage in percent, and the half-width in points in brackets."""
    names = [name for name in rows[0] if name != "setting"]
    wide = max(len(row["setting"]) for row in rows)
    lines = [" " * wide + "".join(f"{name:>16}" for name in names)]
    lines += [
        f"{row['setting']:{wide}}" + "".join(f"{row[name][0]:8.1f} ({row[name][1]:5.2f})" for name in names)
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="of the share of correct answers, for each setting")
    parser.add_argument("--metric-samples", type=int, default=400, help="of another metric, for each setting")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    shares, metrics = list(of_shares(options.samples)), list(of_metrics(options.metric_samples))
    if options.json:
        print(json.dumps({"accuracy": shares, "other_metrics": metrics}))
    else:
        print(as_table(shares), as_table(metrics), sep="\n\n")


if __name__ == "__main__":
    main()
