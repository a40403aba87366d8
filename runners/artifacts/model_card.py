"""The two files of an exported folder that people read: its model card and its ``predict.py``."""

from collections.abc import Mapping
from typing import Any

from runners.measuring.measurement import QUANTITIES
from runners.metric import ACCURACY, QualityMetric

CARD = """\
# {workload}: {runtime}, {precision}

{what}, exported from {origin}.

## Against the baseline

The baseline is the network as it was given, in fp32, called by PyTorch in eager mode on {baseline}.
Both were measured in pairs on {device}. The numbers hold for that machine. Latency is that of one call with one
input; throughput is that of {replicas} process(es) with {threads} thread(s) each, all busy at once{baseline_serving}.

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

- Input `input`: float32 of shape `{input_shape}`.
- Output `output`: float32 of shape `{output_shape}`.
- {preprocessing}

`predict.py` needs Python, NumPy and {needs}, and nothing of Frontrunner:

    python predict.py                      # a random input
    python predict.py --input image.npy    # one input or a batch, as saved by numpy.save

In your own program:

    import sys; sys.path.insert(0, "path/to/this/folder")
    from predict import load
    predict = load(folder, threads={threads})    # folder is a pathlib.Path; predict takes and gives float32 arrays

`frontrunner verify FOLDER` loads it in a fresh process and compares it with the numbers above. `frontrunner.json`
holds the same figures for programs, and the SHA-256 of every file.
"""

PREDICT = '''\
"""Runs the exported model on one input or a batch; needs {needs} and NumPy."""

import argparse
from pathlib import Path

import numpy as np
{loader}

INPUT_SHAPE = {shape}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, help=".npy file with one input or a batch; random numbers without it")
    parser.add_argument("--save", type=Path, help="write the outputs to this .npy file")
    parser.add_argument("--threads", type=int, default={threads}, help="threads of one call")
    chosen = parser.parse_args()
    if chosen.input:
        try:
            inputs = np.load(chosen.input, allow_pickle=False)
        except (OSError, ValueError) as error:
            parser.error(f"--input {{chosen.input}}: cannot be read ({{error}})")
    else:
        inputs = np.random.default_rng(0).standard_normal((1, *INPUT_SHAPE))
    inputs = np.ascontiguousarray(inputs, dtype=np.float32)
    if inputs.shape == INPUT_SHAPE:
        inputs = inputs[None]
    if inputs.shape[1:] != INPUT_SHAPE:
        parser.error(f"the input has shape {{inputs.shape}}; it must be {{INPUT_SHAPE}} or {{('n', *INPUT_SHAPE)}}")
    outputs = load(Path(__file__).resolve().parent, chosen.threads)(inputs)
    print("output shape", outputs.shape)
    print("argmax", outputs.reshape(len(outputs), -1).argmax(axis=1).tolist())
    if chosen.save:
        np.save(chosen.save, outputs)


if __name__ == "__main__":
    main()
'''


def model_card(document: Mapping[str, Any]) -> str:
    """The model card as Markdown, from the document of the folder."""
    runtime, metric = document["runtime"], QualityMetric.of_front(document["measured"])
    is_baseline = document["claims"] == document["baseline"]
    return CARD.format(
        what="The network as it was given" if is_baseline else "A network that Frontrunner made faster",
        workload=document["workload"],
        runtime=runtime["name"],
        precision=runtime["precision"],
        threads=runtime["threads"],
        needs=_needs(document),
        origin=", ".join(f"{name} {value}" for name, value in document["origin"].items()) or "a search",
        device=document["measured"].get("device", "the machine named in `frontrunner.json`"),
        baseline=_baseline_call(document["measured"].get("baseline_threads", 1), document["baseline"]),
        baseline_serving=_baseline_serving(document["baseline"]),
        replicas=document["configuration"].get("replicas", 1),
        doubts="".join(f"\n**{doubt}**\n" for doubt in document["measured"].get("doubts", ())),
        rows="\n".join(figure_rows(document["claims"], document["baseline"], metric)),
        metric=_metric_text(metric),
        choices="\n".join(f"| {name} | {value} |" for name, value in document["configuration"].items()),
        input_shape=_shape(document["input"]),
        output_shape=_shape(document["output"]),
        preprocessing=document["preprocessing"],
    )


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


def predict_source(loader: str, document: Mapping[str, Any]) -> str:
    """``predict.py``: a backend's loader with a command line around it."""
    shape = tuple(document["input"]["shape"][1:])
    return PREDICT.format(
        needs=_needs(document), loader=loader.strip("\n"), shape=shape, threads=document["runtime"]["threads"]
    )


def _figure(figures: Mapping[str, Any], name: str) -> str:
    value = figures.get(name)
    if value is None:
        return ""
    interval = figures.get(f"{name}_ci95")
    spread = f" ({interval[0]:.4g} to {interval[1]:.4g})" if interval else ""
    return (f"{value:,}" if isinstance(value, int) else f"{value:.4g}") + spread


def _shape(signature: Mapping[str, Any]) -> str:
    return "(" + ", ".join(map(str, signature["shape"])) + ")"


def _needs(document: Mapping[str, Any]) -> str:
    """The one package that loads the model, at the version that it was made with."""
    package = document["runtime"]["package"]
    return f"{package} {document['versions'].get(package, '')}".strip()
