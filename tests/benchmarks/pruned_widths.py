"""Whether a runtime likes some numbers of channels more than others, on this machine.

    python tests/benchmarks/pruned_widths.py [--side N] [--budget SECONDS] [--runtime NAME]... [--json]

A network of four convolutions of one width (3x3, batch normalisation, ReLU) is built with each width of a list, lowered
to a runtime in fp32 and in int8, and timed against the widest, all in the same blocks, on one thread with one input a
call, as a search times candidates. For each width it prints the time as a share of that of the widest, with the 95 %
interval, beside the share of its multiplications. A width that is worth rounding to takes less time than a narrower one
that is no multiple.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from runners.backend import Trained
from runners.backends import find_backend
from runners.inputs import ExampleInputs
from runners.lowering.onnx_export import export
from runners.lowering.quantisation import quantise_int8
from runners.measuring.calls import Call
from runners.measuring.footprint import count_macs
from runners.measuring.stopwatch import TimingSettings, time_interleaved
from runners.quantisers.settings import QuantisationSettings

WIDTHS = (33, 36, 40, 47, 48, 50, 52, 56, 60, 62, 63, 64)
"""The last one is what all are compared with."""
RUNTIMES = ("onnxruntime", "openvino")


def network(width: int) -> nn.Module:
    """Pictures ``(n, 3, side, side)`` to ten logits."""
    torch.manual_seed(0)
    sizes = (3, width, width, width, width)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)).eval()


def lowered(width: int, runtime: str, precision: str, example: ExampleInputs) -> Call:
    """A call of the network in a runtime, on one thread."""
    backend, made = find_backend(runtime), network(width)
    with tempfile.TemporaryDirectory() as name:
        plain, quantised, folder = Path(name) / "plain.onnx", Path(name) / "quantised.onnx", Path(name) / "artifact"
        folder.mkdir()
        export(made, example, plain)
        if precision == "int8":
            random = np.random.default_rng(0)
            shape = example.arrays[0].shape
            rows = [(random.standard_normal(shape, dtype=np.float32),) for _ in range(8)]
            quantise_int8(plain, rows, quantised, QuantisationSettings.of(backend.quantisation))
        source = quantised if precision == "int8" else plain
        backend.lower(Trained(made, lambda: source, example, precision), folder)
        predictor = backend.open(folder, threads=1, batch=1)
    return lambda: predictor(*example.arrays)


def measure(side: int, budget_s: float, runtimes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """A row for each runtime, number format and width."""
    example = ExampleInputs.of(np.random.default_rng(0).standard_normal((1, 3, side, side), dtype=np.float32))
    macs = {width: count_macs(network(width), example.arrays) for width in WIDTHS}
    for runtime in runtimes:
        for precision in ("fp32", "int8"):
            calls = [lowered(width, runtime, precision, example) for width in WIDTHS]
            timings = time_interleaved(calls[-1], calls[:-1], TimingSettings(budget_s, 0))
            for width, timing in zip(WIDTHS, timings, strict=False):
                yield {
                    "runtime": runtime,
                    "precision": precision,
                    "width": width,
                    "time": 1 / timing.speedup,
                    "time_ci95": [1 / bound for bound in reversed(timing.speedup_ci95)],
                    "macs": macs[width] / macs[WIDTHS[-1]],
                    "blocks": timing.blocks,
                    "unstable": timing.unstable,
                }


def _line(row: dict[str, Any]) -> str:
    low, high = row["time_ci95"]
    shown = f"{row['runtime']:12} {row['precision']:5} {row['width']:4} {row['time']:5.2f} ({low:.2f} to {high:.2f})"
    return f"{shown}  macs {row['macs']:.2f}  {row['blocks']} blocks  {row['unstable']}"


def main() -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=32, help="height and width of the pictures")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of timing for each width")
    parser.add_argument("--runtime", action="append", choices=RUNTIMES, help="by default both")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    rows = []
    for row in measure(given.side, given.budget, tuple(given.runtime or RUNTIMES)):
        rows.append(row)
        if not given.json:
            print(_line(row), flush=True)
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
