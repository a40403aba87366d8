"""The front of a study in one sentence."""

from collections.abc import Iterable

from dashboards.baseline_text import baseline_text
from dashboards.formatting import allowance_text, interval_text, quality_text, times
from dashboards.front_rows import Document, Member, instability, interval_of, members, resolution
from runners.metric import NEAR, QualityMetric

NOTHING_BEATS_IT = "nothing beats your model as it is"
_ROUNDING = 1e-9  # 0.52 - 0.05 is a little more than 0.47 in binary


def headline(document: Document, within: float = NEAR) -> str:
    """One sentence that names the fastest member of the front that is nearly as accurate as the baseline.

    It says how the baseline is called. A member that is not significantly faster than the baseline is not called fast,
    and where no member is better than the baseline in anything, the sentence says that nothing beats the model. A
    member whose timing is unstable is named only where there is no other, and the sentence says that it is unstable.
    Members that tie with the fastest are named too.

    Args:
        document: The front document.
        within: How much accuracy may be lost: of a fraction, 0.01 is one accuracy point; of a metric in another unit,
            one percent of the baseline's value.
    """
    baseline, metric = document.get("baseline"), QualityMetric.of_front(document)
    margin = f"within {allowance_text(within, metric)}" + (" of the baseline" if metric.is_fraction else "")
    if baseline is None:
        return "the baseline is not measured yet"
    others = members(document)
    if not document["front"] and document.get("constraints"):
        return f"no trial satisfies every constraint ({', '.join(document['constraints'])})"
    plain = f"; the baseline is {baseline_text(baseline)}"
    if not others and document.get("status") != "finished":
        accuracy = quality_text(baseline["measurement"]["accuracy"], metric)
        return f"only the baseline is on the front so far, at {accuracy}{plain}"
    if nothing_beats_baseline(document):
        return f"{NOTHING_BEATS_IT}{plain}"
    best = fastest_within(document, within)
    if best is None:
        closest = _most_accurate(others, metric)
        return f"no faster trial is {margin}; the closest is {_summary(closest, baseline, metric)}{plain}"
    if not is_faster(best, document):
        return f"no trial {margin} is significantly faster; the fastest is {_summary(best, baseline, metric)}{plain}"
    unstable = f"; unstable: {instability(best)}" if instability(best) else ""
    return f"fastest {margin}: {_summary(best, baseline, metric)}{_ties(best, baseline)}{plain}{unstable}"


def best_member(document: Document) -> Member | None:
    """The member of the front that `headline` names; None where it names the baseline alone."""
    others = members(document)
    if document.get("baseline") is None or not others or nothing_beats_baseline(document):
        return None
    return fastest_within(document) or _most_accurate(others, QualityMetric.of_front(document))


def nothing_beats_baseline(document: Document) -> bool:
    """Whether every member of the front is the baseline, or cannot be told apart from it in anything."""
    baseline = document["baseline"]["trial"]
    return all(baseline in member.get("ties", ()) and not is_faster(member, document) for member in members(document))


def fastest_within(document: Document, within: float = NEAR) -> Member | None:
    """The fastest member of the front, other than the baseline, that loses at most ``within`` accuracy, or None.

    ``within`` is that of `headline`.

    A member whose timing is unstable is given only where there is no other.
    """
    baseline = document.get("baseline")
    if baseline is None:
        return None
    metric, reference = QualityMetric.of_front(document), baseline["measurement"]["accuracy"]
    most = metric.allowance(within + _ROUNDING, reference)
    near = [member for member in members(document) if metric.drop(member["measurement"]["accuracy"], reference) <= most]
    return next((member for member in near if not instability(member)), near[0] if near else None)


def is_faster(member: Member, document: Document) -> bool:
    """Whether a member of the front is significantly faster than the baseline."""
    lowest, _ = interval_of(member, "speedup") or (member["measurement"]["speedup"], None)
    return bool(lowest > 1 + resolution(document))


def _most_accurate(others: Iterable[Member], metric: QualityMetric) -> Member:
    return max(others, key=lambda member: metric.sign * member["measurement"]["accuracy"])


def _summary(member: Member, baseline: Member, metric: QualityMetric) -> str:
    measurement = member["measurement"]
    interval = interval_text(*(interval_of(member, "speedup") or (None, None)))
    speed = f"{times(measurement['speedup'])}x" + (f" (95 % {interval})" if interval else "")
    pair = (quality_text(one["measurement"]["accuracy"], metric) for one in (member, baseline))
    accuracies = " against ".join(pair)
    return f"trial {member['trial']}, {speed}, {accuracies}"


def _ties(member: Member, baseline: Member) -> str:
    numbers = [str(number) for number in member.get("ties", ()) if number != baseline["trial"]]
    if not numbers:
        return ""
    *first, last = numbers
    return f"; tied with trials {', '.join(first)} and {last}" if first else f"; tied with trial {last}"
