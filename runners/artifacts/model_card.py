"""The model card of an exported folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from runners.artifacts.predict_program import needs, signatures
from runners.measuring.measurement import QUANTITIES
from runners.metric import ACCURACY, QualityMetric

CARD = """\
# {workload}: {runtime}, {precision}

{what}, exported from {origin}.

## Against the baseline

The baseline is the network as it was given, in fp32, called by PyTorch in eager mode on {baseline}.
Both were measured in pairs on {device}. The numbers hold for that machine. Latency is that of one call with
{batch}; throughput is that of {replicas} process(es) with {threads} thread(s) each, all busy at once{baseline_serving}.

| quantity | unit | this model | baseline |
|---|---|---|---|
{rows}

In brackets: the 95 % interval.{metric}
{doubts}
## How it was made

| choice | value |
|---|---|
{choices}

## Use

{inputs}
- Output `output`: float32 of shape `{output_shape}`.
- {preprocessing}

`predict.py` needs Python, NumPy and {needs}, and nothing of Frontrunner:

{commands}

In your own program:

    import sys; sys.path.insert(0, "path/to/this/folder")
    from predict import load
    predict = load(folder, threads={threads})    # folder is a pathlib.Path; {takes}
{packed}
`frontrunner verify FOLDER` loads it in a fresh process and compares it with the numbers above. `frontrunner.json`
holds the same figures for programs, and the SHA-256 of every file.
"""
ONE = """\
    python -m pip install -r requirements.txt
    python predict.py                      # the sample, or a random input where there is none
    python predict.py --input image.npy    # one input or a batch, as saved by numpy.save"""
SEVERAL = """\
    python -m pip install -r requirements.txt
    python predict.py                       # the sample, or inputs that are made up where there is none
    python predict.py --input inputs.npz    # one example or a batch, as saved by numpy.savez with these names"""


PACKED = """
## Stored and sent

`model.packed` has {kib:.1f} KiB and holds {what}, bit by bit, with its {arrays} arrays by name. It is the file to keep
and to send, with `decode.py`, `predict.py` and `frontrunner.json`. The runtime reads {read}: unpack it first.
`decode.py` needs Python and NumPy, and refuses a file that is cut short or was changed:

    python decode.py model.packed .    # writes {files} into this folder

In your own program `from decode import decode; files, arrays = decode("model.packed")` gives both.
"""


def model_card(document: Mapping[str, Any]) -> str:
    """The model card as Markdown, from the document of the folder."""
    runtime, inputs = document["runtime"], signatures(document)
    metric = QualityMetric.of_front(document["measured"])
    is_baseline = document["claims"] == document["baseline"]
    return CARD.format(
        what="The network as it was given" if is_baseline else "A network that Frontrunner made faster",
        workload=document["workload"],
        runtime=runtime["name"],
        precision=runtime["precision"],
        threads=runtime["threads"],
        needs=needs(document),
        origin=", ".join(f"{name} {value}" for name, value in document["origin"].items()) or "a search",
        device=document["measured"].get("device", "the machine named in `frontrunner.json`"),
        baseline=_baseline_call(document["measured"].get("baseline_threads", 1), document["baseline"]),
        baseline_serving=_baseline_serving(document["baseline"]),
        replicas=document["configuration"].get("replicas", 1),
        doubts="".join(f"\n**{doubt}**\n" for doubt in document["measured"].get("doubts", ())),
        rows="\n".join(figure_rows(document["claims"], document["baseline"], metric)),
        metric=_metric_text(metric),
        batch=_batch_text(document["claims"].get("batch", 1)),
        choices="\n".join(f"| {name} | {_choice(value)} |" for name, value in document["configuration"].items()),
        inputs="\n".join(_input(each) for each in inputs),
        commands=ONE if len(inputs) == 1 else SEVERAL,
        takes=_takes(inputs),
        output_shape=_shape(document["output"]),
        preprocessing=document["preprocessing"],
        packed=_packed_text(document.get("packed")),
    )


def _packed_text(packed: Mapping[str, Any] | None) -> str:
    """What the packed file is for, where there is one."""
    if packed is None:
        return ""
    beside, others = ([f"`{name}`" for name in packed[key]] for key in ("restores", "restores_beside"))
    if others:
        what = f"{', '.join(others)}, from which the model was made"
        read = "`model.pt2`, which it does not hold"
    else:
        what = ", ".join(beside)
        read = "the unpacked file" if len(beside) == 1 else "the unpacked files"
    files = ", ".join(name.strip("`") for name in (*beside, *others))
    return PACKED.format(kib=packed["bytes"] / 1024, arrays=packed["arrays"], what=what, read=read, files=files)


def _batch_text(batch: int) -> str:
    return "one input" if batch == 1 else f"{batch} inputs"


def _metric_text(metric: QualityMetric) -> str:
    """What the rows called accuracy show, where that is another metric."""
    if metric == ACCURACY:
        return ""
    return f" `accuracy` is {metric.in_words}, and a drop is how much worse it is."


def _baseline_call(threads: int, baseline: Mapping[str, Any]) -> str:
    """``2 threads, 1.41 ms a call``; without the time where that is not known."""
    counted = f"{threads} thread" if threads == 1 else f"{threads} threads"
    return f"{counted}, {baseline['latency_p50_ms']:.3g} ms a call" if baseline.get("latency_p50_ms") else counted


def _baseline_serving(baseline: Mapping[str, Any]) -> str:
    """How the baseline was served, where that is the best of several ways."""
    served = baseline.get("served_with")
    return f", and the baseline's of {served['replicas']} with {served['threads']} each" if served else ""


def figure_rows(claims: Mapping[str, Any], baseline: Mapping[str, Any], metric: QualityMetric = ACCURACY) -> list[str]:
    """One Markdown row for every quantity that was measured."""
    own = ("accuracy_test", "accuracy_test_drop", "accuracy", "accuracy_drop")
    units = {name: quantity.unit for name, quantity in QUANTITIES.items()}
    units = {**dict.fromkeys(own, metric.unit), **{name: unit for name, unit in units.items() if name not in own}}
    return [
        f"| {name} | {unit} | {_figure(claims, name)} | {_figure(baseline, name)} |"
        for name, unit in units.items()
        if claims.get(name) is not None
    ]


def _figure(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    if value is None:
        return ""
    interval = figures.get(f"{name}_ci95")
    spread = f" ({interval[0]:.4g} to {interval[1]:.4g})" if interval else ""
    return (f"{value:,}" if isinstance(value, int) else f"{value:.4g}") + spread


def _choice(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _input(signature: Mapping[str, Any]) -> str:
    free = "; `any` is a size that may differ between calls" if None in signature["shape"] else ""
    return f"- Input `{signature['name']}`: {signature['dtype']} of shape `{_shape(signature)}`{free}."


def _takes(inputs: Sequence[Mapping[str, Any]]) -> str:
    if [each["dtype"] for each in inputs] == ["float32"]:
        return "predict takes and gives float32 arrays"
    return f"predict({', '.join(each['name'] for each in inputs)}) takes arrays and gives a float32 array"


def _shape(signature: Mapping[str, Any]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in signature["shape"]) + ")"
