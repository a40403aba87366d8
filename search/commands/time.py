"""``frontrunner time``: how much faster one model is than another, as a sentence."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.formatting import interval_text, times
from runners.artifacts.comparison import Comparison, ComparisonRequest, compare_files
from runners.artifacts.document import DOCUMENT
from runners.artifacts.integrity import read_document
from runners.machine.device import device_line, usable_cores
from runners.machine.telemetry import disable_telemetry
from search.commands.known_exports import require_trusted
from search.commands.options import parse_option
from search.commands.terminal import report_waiting
from search.request.locations import Home
from search.request.units import parse_duration
from search.stop_signals import stop_signals
from spaces.errors import RequestError


@dataclass(frozen=True)
class TimeOptions:
    """How ``frontrunner time`` calls the two models.

    Attributes:
        shape: Shape of the input as text, such as ``1,3,32,32``; None takes it from the models.
        batch: Inputs of one call; None takes it from the models, or 1.
        threads: Threads of one call.
        budget: How long it measures, as text, such as ``10s``.
        seed: Seed of the input and of the order of the calls.
    """

    shape: str | None = None
    batch: int | None = None
    threads: int = 1
    budget: str = "10s"
    seed: int = 0


def time_files(a: Path, b: Path, options: TimeOptions, home: Home | None, *, as_json: bool) -> None:
    """Time model ``b`` against model ``a`` and print the result on stdout; warnings go to stderr.

    Args:
        a: A model file or an exported folder.
        b: Another one.
        options: How the models are called.
        home: The home whose exported folders may run code; None lets every folder.
        as_json: Print one JSON document instead of sentences.

    Raises:
        RequestError: An option or a model cannot be used, or a folder runs code that is not trusted.
        WorkFailed: A model crashes, hangs, or gives outputs that are not finite.
    """
    disable_telemetry()
    cores = usable_cores()
    if options.threads > cores:
        raise RequestError(f"--threads {options.threads}: this machine has {cores} usable cores; give fewer threads")
    budget_s = parse_option("--budget", options.budget, parse_duration)
    for path in (a, b):
        if home is not None and (path / DOCUMENT).is_file():
            require_trusted(path, read_document(path), home)
    print(f"timing {a} and {b} for about {budget_s:g} s, longer if one call is slow", file=sys.stderr)
    shape = None if options.shape is None else parse_shape(options.shape)
    request = ComparisonRequest(a, b, shape, options.batch, options.threads, budget_s, options.seed)
    with stop_signals.cleaning_up():
        compared = compare_files(request, waiting=report_waiting)
    result = TimeResult(str(a), str(b), options.threads, device_line(), compared)
    if as_json:
        print(json.dumps(result.to_json(), allow_nan=False))
        return
    print(result.speed_sentence())
    if compared.difference is not None:
        print(difference_sentence(compared))
    for warning in result.warnings():
        print(f"warning: {warning}", file=sys.stderr)


def parse_shape(text: str) -> tuple[int, ...]:
    """``1,3,32,32`` as numbers.

    Raises:
        RequestError: The text is anything else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise RequestError(f"--shape {text}: give whole numbers above 0, the batch first, such as 1,3,32,32")
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class TimeResult:
    """Two models, called ``a`` and ``b`` by their files, and how they compare on ``device``."""

    a: str
    b: str
    threads: int
    device: str
    compared: Comparison

    def speed_sentence(self) -> str:
        """Which model is faster, by what factor, and on what machine."""
        timing = self.compared.timing
        low, high = timing.speedup_ci95
        threads = f"{self.threads} thread{'s' * (self.threads > 1)} each"
        ratio = (
            f"{self.b} is {times(timing.speedup)}x as fast as {self.a} (95 % {interval_text(low, high)}): "
            f"{timing.latency_p50_ms:.3g} ms against {timing.baseline_p50_ms:.3g} ms a call, "
            f"{threads}, batch {self.compared.input_shapes[0][0]}, {self.device}"
        )
        return f"no difference can be shown: {ratio}" if low <= 1 <= high else ratio

    def warnings(self) -> list[str]:
        """Why the result is uncertain, a sentence each."""
        names = {"a": self.a, "b": self.b}
        unstable, unsteady = self.compared.timing.unstable, self.compared.unsteady
        difference = difference_sentence(self.compared)
        return [
            *([f"the speedup is unstable: {unstable}"] if unstable else []),
            *(f"{names[side]} gives different outputs for the same input" for side in unsteady),
            *([f"the models are not equivalent: {difference}"] if self.compared.difference is None else []),
        ]

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON types."""
        found, timing = self.compared, self.compared.timing
        return {
            "model_a": self.a,
            "model_b": self.b,
            "speedup": timing.speedup,
            "speedup_ci95": list(timing.speedup_ci95),
            "latency_p50_ms": {"a": timing.baseline_p50_ms, "b": timing.latency_p50_ms},
            "blocks": timing.blocks,
            "outliers": {"a": timing.baseline_outliers, "b": timing.outliers},
            "machine": dict(timing.machine),
            "unstable": timing.unstable,
            "difference": found.difference,
            "output_shape": {"a": list(found.a_output_shape), "b": list(found.b_output_shape)},
            "input_shape": list(found.input_shapes[0]),
            "input_shapes": [list(shape) for shape in found.input_shapes],
            "warnings": self.warnings(),
            "threads": self.threads,
            "batch": found.input_shapes[0][0],
            "device": self.device,
        }


def difference_sentence(compared: Comparison) -> str:
    """How far the outputs of two models are apart."""
    if compared.difference is None:
        a, b = (",".join(map(str, shape)) for shape in (compared.a_output_shape, compared.b_output_shape))
        return f"their outputs differ in shape: {a} and {b}"
    if not compared.difference:
        return "their outputs are the same"
    return f"the largest difference between their outputs is {compared.difference:.2g} of the largest output"
