"""The explanation of a candidate as one document: what ``frontrunner explain --json`` prints, and others draw."""

from collections.abc import Mapping
from typing import Any

from dashboards.formatting import configuration_text
from runners.machine.resources import TRAINING_STAGES
from runners.quality.answers import Answers, answers_of_stage
from runners.store.stage_store import StageStore
from search.driver.accuracy_drop import drop_figures
from search.driver.search_context import SearchContext
from search.explain.carrying_out import Ended
from search.explain.effects import TOGETHER, effect, pair_name, remainder, without
from search.explain.importance import importances
from search.explain.measuring import IsStored, Measured, measure
from search.explain.time_left import TimeLeft
from search.explain.variants import Variants
from search.study.attributes import STAGES
from search.study.study import TrialRecord, final_answers_of, records, timing_resolution
from spaces.configuration import Configuration
from spaces.errors import RequestError

Document = dict[str, Any]
FIGURES = ("size_mib", "macs", "parameters", "train_seconds")
"""What a choice can change besides speed and accuracy."""


def explain(
    search: SearchContext, trial: Mapping[str, Any], front: Mapping[str, Any], is_stored: IsStored, left: TimeLeft
) -> Document:
    """What each choice of ``trial`` gives and costs, what two give together, and which choices mattered in the study.

    Args:
        search: The study and what it needs; the runner has nothing else to do.
        trial: The trial as the front document shows it; it is not the baseline.
        front: The front document.
        is_stored: Whether the stage store has the result of a key.
        left: What may be trained, and how long all may take.

    Raises:
        RequestError: The trial was measured with other code or libraries than those of now.
        WorkFailed: The candidate itself cannot be built any more, or the machine failed.
    """
    variants = Variants.of(search.chains, Configuration(trial["configuration"]))
    _require_same_code(search, variants, trial["trial"])
    tried = {r.configuration: r for r in records(search.study) if r.state == "complete" and r.measurement}
    known = {name: tried[one.configuration] for name, one in variants.singles.items() if one.configuration in tried}
    measured = measure(search, variants, {n: one.number for n, one in known.items()}, is_stored, left)
    choices = [_choice(search, trial, variants, measured, name, known.get(name)) for name in variants.choices]
    together = effect(measured.contrasts.get(TOGETHER), timing_resolution(search.study))
    ratios = [one["speed"]["ratio"] for one in choices if one["speed"]]
    complete = together is not None and len(ratios) == len(choices)
    return {
        "study": front["study"],
        "workload": front["workload"],
        "device": front["device"],
        "metric": front.get("metric"),
        "metric_direction": front.get("metric_direction"),
        "metric_unit": front.get("metric_unit"),
        "trial": trial["trial"],
        "on_front": trial["trial"] in {member["trial"] for member in front["front"]},
        "text": configuration_text(trial["configuration"], search.chains.space.baseline()),
        "configuration": dict(trial["configuration"]),
        "measurement": dict(trial["measurement"]),
        "baseline": front["baseline"],
        "resolution": timing_resolution(search.study),
        "together": together,
        "remainder": remainder(together["ratio"], ratios) if together and complete else None,
        "choices": choices,
        "pairs": [_pair(search, variants, measured, pair) for pair in variants.pairs],
        "importance": {n: one.to_json() for n, one in importances(search.study, search.chains.space).items()},
        "trained": [one["choice"] for one in choices if one["trained_now"]],
        "left_out": measured.left_out,
        "seconds": round(left.passed_s, 1),
    }


def _require_same_code(search: SearchContext, variants: Variants, number: int) -> None:
    """Raise `RequestError` where the trial's artifact would not be made today as it was made in the search."""
    stages = search.study.get_trials(deepcopy=False)[number].user_attrs.get(STAGES, {})
    if stages.get("lowering") not in {task.key for task in search.chains.chain(variants.member)}:
        raise RequestError(
            f"trial {number} was trained and measured with another version of Frontrunner, or of the libraries, than "
            "is installed: what is measured now cannot be compared with it; explain it with that version, or search "
            "again under another name"
        )


def stored_in(store: StageStore) -> IsStored:
    """Whether ``store`` has the whole result of a key."""
    return lambda key: store.get(key) is not None


def _choice(
    search: SearchContext,
    trial: Mapping[str, Any],
    variants: Variants,
    measured: Measured,
    name: str,
    known: TrialRecord | None,
) -> Document:
    """What one choice gives and costs: the candidate with it and without it."""
    one = variants.singles[name]
    ended, built = measured.ended.get(name), measured.built.get(without(name))
    evaluated = ended.results.get("evaluating", {}) if ended and not ended.failure else {}
    figures = (known.measurement or {}) if known else evaluated
    reason = (ended.failure if ended else None) or measured.untrained.get(name)
    sizes = (known.measurement or {}) if known else _sizes(ended if evaluated else built)
    if not figures:
        sizes = {n: value for n, value in sizes.items() if n != "train_seconds"}  # it is untrained
    same = variants.same_speed(variants.member, one.configuration)
    return {
        "choice": name,
        "value": variants.member[name],
        "neutral": one.configuration.get(name),
        "text": _text(variants, (name,)),
        "kind": variants.kind_of(name),
        "implied": list(one.implied),
        "without": dict(one.configuration),
        "trial": known.number if known else None,
        "trained_now": bool(ended and any(ended.seconds.get(stage) for stage in TRAINING_STAGES)),
        "speed": _same_speed() if same else effect(measured.contrasts.get(name), timing_resolution(search.study)),
        "same_artifact": same,
        "accuracy": _accuracy(search, trial, figures, known) if figures else None,
        "why_unknown": None if figures else reason,
        "figures": {n: {"with": trial["measurement"].get(n), "without": sizes.get(n)} for n in FIGURES},
    }


def _sizes(ended: Ended | None) -> Mapping[str, Any]:
    """What the lowering of a variant says of it; nothing where it was not lowered."""
    return ended.results.get("lowering", {}) if ended else {}


def _accuracy(
    search: SearchContext,
    trial: Mapping[str, Any],
    figures: Mapping[str, Any],
    known: TrialRecord | None,
) -> Document:
    """The accuracy with and without the choice, on the validation split, and what the choice costs, with interval."""
    theirs = known.answers if known else answers_of_stage(figures).get("validation")
    ours = _answers_of_trial(search, trial["trial"])
    drop = drop_figures(
        {"accuracy": trial["measurement"]["accuracy"]},
        {"accuracy": figures["accuracy"]},
        {"validation": ours} if ours else {},
        {"validation": theirs} if theirs else {},
        search.metric,
    )
    ends = drop["accuracy_drop_ci95"]
    return {
        "with": trial["measurement"]["accuracy"],
        "without": figures["accuracy"],
        "cost": drop["accuracy_drop"],
        "cost_ci95": list(ends) if ends else None,
    }


def _answers_of_trial(search: SearchContext, number: int) -> Answers | None:
    """What a trial answered on the validation split, where its accuracy was found last."""
    final = final_answers_of(search.study.user_attrs).get(number)
    return final or next((r.answers for r in records(search.study) if r.number == number), None)


def _pair(search: SearchContext, variants: Variants, measured: Measured, pair: tuple[str, str]) -> Document:
    """What two choices give together beyond each alone; ``reason`` says why that is not known."""
    found = effect(measured.contrasts.get(pair_name(pair)), timing_resolution(search.study))
    first, second = pair
    reason = None
    if not variants.is_independent(pair):
        unchanged = [n for n in pair if variants.same_speed(variants.member, variants.singles[n].configuration)]
        reason = (
            f"{' and '.join(unchanged)} changes nothing that is timed"
            if unchanged
            else "one of them cannot be taken back without the other"
        )
    elif found is None:
        reason = "it was not timed"
    kinds = [variants.kind_of(first), variants.kind_of(second)]
    return {"choices": [first, second], "kinds": kinds, "synergy": None if reason else found, "reason": reason}


def _same_speed() -> Document:
    return {"ratio": 1.0, "ci95": [1.0, 1.0], "unstable": "", "significant": False}


def _text(variants: Variants, names: tuple[str, ...]) -> str:
    """The choices as people read them, with what leaves with them in brackets."""
    space = variants.chains.space
    neutral = {axis.name: axis.neutral(space.environment) for axis in space.axes}

    def said(chosen: tuple[str, ...]) -> str:
        return configuration_text({name: variants.member[name] for name in chosen}, neutral)

    implied = variants.singles[names[0]].implied
    return said(names) + (f" (with {said(implied)})" if implied else "")
