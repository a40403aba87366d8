"""An explanation of a trial as tables for a terminal of 80 characters.

The document is what ``frontrunner explain --json`` prints; `search.explain.explanation` makes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboards.baseline_text import baseline_text
from dashboards.formatting import interval_text, quality_number, quality_text, three_digits, times
from runners.metric import QualityMetric

Document = Mapping[str, Any]


def print_explanation(console: Console, document: Document) -> None:
    """Print what each choice gives and costs, what two give together, and what mattered in the study."""
    metric = QualityMetric.of_front(document)

    def say(*lines: str, style: str = "") -> None:
        for line in lines:
            console.print(escape(line), style=style, highlight=False)

    say("", headline(document), style="bold")
    say("", "each choice taken back alone: how much faster the trial is with it than without it")
    console.print(_choices(document, metric))
    say(*_below_choices(document))
    if any(pair["synergy"] for pair in document["pairs"]):
        say("", "two choices: what they give together, over the product of what each gives alone")
        console.print(_synergies(document))
        say(*_below_synergies(document))
    say("", "over the study: the share of the differences between candidates that each choice explains alone")
    console.print(_importance(document, metric))
    say(*_below_importance(document), "", *notes(document))


def headline(document: Document) -> str:
    """The trial in one sentence: its choices, its speed beside the baseline, and its accuracy."""
    metric, together = QualityMetric.of_front(document), document["together"]
    measured, baseline = document["measurement"], document["baseline"]["measurement"]
    speed = together or {"ratio": measured["speedup"], "ci95": measured["speedup_ci95"]}
    pair = " against ".join(quality_text(one["accuracy"], metric) for one in (measured, baseline))
    doubt = f" (unstable: {together['unstable']})" if together and together["unstable"] else ""
    return (
        f"{document['study']}, trial {document['trial']}: {document['text']}; {_speed(speed)}{doubt}, "
        f"{metric.name} {pair}; the baseline is {baseline_text(document['baseline'])}"
    )


def gained(choice: Document, metric: QualityMetric) -> str:
    """What a choice changes the quality by, such as ``accuracy +0.6 points``; that it is unknown, where it is."""
    if choice["accuracy"] is None:
        return f"{metric.name} unknown"
    change = choice["accuracy"]["with"] - choice["accuracy"]["without"]
    unit = " points" if metric.is_fraction else ""
    return f"{metric.name} {'+' if change > 0 else ''}{quality_number(change, metric)}{unit}"


def letters(document: Document) -> dict[str, str]:
    """A letter for each choice, by which the matrix of pairs names it."""
    return {one["choice"]: chr(ord("A") + index) for index, one in enumerate(document["choices"])}


def notes(document: Document) -> Iterator[str]:
    """What the figures rest on: what was trained, what is not known and why, and what a factor means."""
    for one in document["choices"]:
        if one["why_unknown"]:
            yield f"{one['text']}: {one['why_unknown']}"
    if document["trained"]:
        yield f"trained now, to know the accuracy without it: {', '.join(document['trained'])}"
    unstable = {one["speed"]["unstable"] for one in document["choices"] if one["speed"] and one["speed"]["unstable"]}
    yield from (f"! the timing is unstable: {reason}" for reason in sorted(unstable))
    yield from document["left_out"]
    yield f"this took {document['seconds']:.0f} s"


def _speed(effect: Mapping[str, Any]) -> str:
    return f"{times(effect['ratio'])}x (95 % {interval_text(*effect['ci95'])})"


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _choices(document: Document, metric: QualityMetric) -> Table:
    table, names = _table(), letters(document)
    lost = "points lost (95 %)" if metric.is_fraction else "lost (95 %)"
    for heading in ("", "faster", "95 %", "MiB without", lost):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    table.add_column("choice", overflow="fold")
    for one in document["choices"]:
        speed, accuracy = one["speed"], one["accuracy"]
        cells = (
            names[one["choice"]],
            f"{'! ' if speed['unstable'] else ''}{times(speed['ratio'])}x" if speed else "",
            "same file" if one["same_artifact"] else interval_text(*speed["ci95"]) if speed else "",
            three_digits(one["figures"]["size_mib"]["without"]),
            _lost(accuracy, metric) if accuracy else "unknown",
            one["text"],
        )
        table.add_row(*map(escape, cells))
    return table


def _below_choices(document: Document) -> Iterator[str]:
    """What all choices give together, and how large the trial is."""
    if document["remainder"]:
        yield (
            f"together {_speed(document['together'])}: the product of the above times {times(document['remainder'])}, "
            "since what a choice gives depends on the others"
        )
    size = document["measurement"].get("size_mib")
    if size is not None:
        yield f"the trial has {three_digits(size)} MiB; points lost are of the validation split"


def _lost(accuracy: Mapping[str, Any], metric: QualityMetric) -> str:
    """``0.5 (-0.1 to 1.1)``: what the choice costs in accuracy; negative where the trial is better with it."""
    shown = quality_number(accuracy["cost"], metric)
    ends = accuracy["cost_ci95"]
    return shown + (f" ({' to '.join(quality_number(end, metric) for end in ends)})" if ends else "")


def _synergies(document: Document) -> Table:
    table, names = _table(), letters(document)
    known = {frozenset(pair["choices"]): pair["synergy"] for pair in document["pairs"] if pair["synergy"]}
    shown = [name for name in names if any(name in pair for pair in known)]
    for heading in ("", *(names[name] for name in shown[1:])):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, name in enumerate(shown):
        effects = [known.get(frozenset((name, other))) if shown.index(other) > row else None for other in shown[1:]]
        if any(effects):
            table.add_row(names[name], *map(_factor, effects))
    return table


def _below_synergies(document: Document) -> Iterator[str]:
    """How to read the matrix, and the pairs that interact, with the kinds of choices that they are."""
    yield (
        "above 1 they gain from each other, below 1 each has less left to gain; * differs from 1 significantly; blank: "
        "one leaves with the other, or it was not timed"
    )
    names = letters(document)
    for pair in document["pairs"]:
        if pair["synergy"] and pair["synergy"]["significant"]:
            first, second = (
                f"{names[name]} ({kind})" for name, kind in zip(pair["choices"], pair["kinds"], strict=True)
            )
            yield f"{first} and {second}: {_speed(pair['synergy'])}"


def _factor(effect: Mapping[str, Any] | None) -> str:
    return "" if effect is None else f"{times(effect['ratio'])}x{'*' if effect['significant'] else ' '}"


def _importance(document: Document, metric: QualityMetric) -> Table:
    table = _table()
    speed, accuracy = (document["importance"][name]["choices"] for name in ("speed", "accuracy"))
    table.add_column("choice")
    for heading in ("speed", metric.name):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for name in _ordered(speed, accuracy):
        table.add_row(escape(name), *(_share(one.get(name)) for one in (speed, accuracy)))
    return table


def _below_importance(document: Document) -> Iterator[str]:
    """What the importances rest on, and whether that is too little."""
    speed, accuracy = (document["importance"][name] for name in ("speed", "accuracy"))
    yield (
        f"by fANOVA, over {speed['trials']} candidates that were timed and {accuracy['trials']} that were evaluated; "
        "in brackets how far it changes with the candidates; what is missing to 100 % several choices decide together"
    )
    yield from dict.fromkeys(f"{name}: {one['doubt']}" for name, one in document["importance"].items() if one["doubt"])


def _ordered(*shares: Mapping[str, Any]) -> Sequence[str]:
    """All choices, the most important in any of ``shares`` first."""
    names = dict.fromkeys(name for one in shares for name in one)
    return sorted(names, key=lambda name: -max(one.get(name, {"share": 0.0})["share"] for one in shares))


def _share(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    low, high = (f"{100 * end:.0f}" for end in found["range"])
    return f"{100 * found['share']:.0f} % ({low}-{high})"
