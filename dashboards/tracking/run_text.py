"""What a person reads of a run: its name, and its description in Markdown."""

from collections.abc import Mapping
from typing import Any

from dashboards.baseline_text import baseline_text, runtime_alone_text
from dashboards.formatting import configuration_text, interval_text, quality_text, times
from dashboards.headline import headline
from dashboards.tracking.experiment_page import plain
from runners.metric import ACCURACY, QualityMetric

_LONGEST_CHOICES = 90
Record = Mapping[str, Any]


def trial_name(trial: Record) -> str:
    """``17: width 0.25, int8, openvino, 23.0x``; long choices are cut, and a trial without figures says how it ended.

    Args:
        trial: ``trial``, ``configuration``, ``measurement``, and of one without that ``failure`` or ``stopped``.
    """
    measurement = trial.get("measurement")
    choices = "baseline" if trial["trial"] == 0 else configuration_text(trial["configuration"], {}).replace("=", " ")
    if len(choices) > _LONGEST_CHOICES:
        choices = choices[: _LONGEST_CHOICES - 1].rpartition(",")[0] + ", …"
    end = f"{times(measurement['speedup'])}x" if measurement else _how_it_ended(trial)
    return f"{trial['trial']}: {choices}, {end}"


def trial_note(trial: Record, metric: QualityMetric = ACCURACY, *, place: str = "") -> str:
    """The description of a trial's run: its figures with their intervals, or why it has none.

    Args:
        trial: As in `trial_name`.
        metric: What its accuracy is.
        place: ``on the Pareto front`` and the like, or empty.
    """
    measurement = trial.get("measurement")
    if not measurement:
        why = trial.get("failure") or trial.get("stopped") or "it was not measured"
        return f"**{_how_it_ended(trial)}**: {plain(why)}"
    figures = (
        f"**{times(measurement['speedup'])}x** as fast as the baseline{_interval(measurement)}, {metric.name} "
        f"**{quality_text(measurement['accuracy'], metric)}**"
    )
    if measurement.get("accuracy_test") is not None:
        figures += f" ({quality_text(measurement['accuracy_test'], metric)} on the test split)"
    doubt = f"\n\nUnstable: {plain(measurement['unstable'])}" if measurement.get("unstable") else ""
    what = f"This is the baseline: {baseline_text(trial)}.\n\n" if trial["trial"] == 0 else ""
    return f"{what}{figures}{', ' + place if place else ''}.{doubt}"


def study_note(document: Record, picture: str = "") -> str:
    """The description of a study's run: the front in a sentence, what the runtime alone gives, and where to look.

    Args:
        document: The front document.
        picture: The address of a picture of the front, or empty.
    """
    lines = [f"**{_sentence(plain(headline(document)))}**"]
    if alone := runtime_alone_text(document):
        lines.append(_sentence(plain(alone)))
    lines.append(f"{document['trials']} trials, {document['device']}, {document.get('status', 'running')}.")
    if picture:
        lines.append(f"![the front]({picture})")
    files = "`front.html` is the figure of the front, `front_table.json` its table"
    lines.append(f"Artifacts: {files}, and `report.html`, which a search writes at its end, has all that is known.")
    return "\n\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _interval(measurement: Mapping[str, Any]) -> str:
    low, high = measurement.get("speedup_ci95") or (None, None)
    text = interval_text(low, high)
    return f" (95 % {text})" if text else ""


def _how_it_ended(trial: Record) -> str:
    if trial.get("failure"):
        return "failed"
    if not trial.get("stopped"):
        return "not measured"
    epochs = stopped_at(trial)
    return f"stopped after {epochs} epoch{'s' if epochs != 1 else ''}" if epochs else "stopped before its training"


def stopped_at(trial: Record) -> int:
    """The epochs of training after which a trial was stopped, 0 where it was not trained."""
    return max(map(int, trial.get("accuracies") or {}), default=0)
