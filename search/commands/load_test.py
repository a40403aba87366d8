"""``frontrunner load-test``: latency of an exported folder under requests that arrive at several rates."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dashboards.load_table import load_json, load_sentence, rates_table, ways_table
from runners.artifacts.input_shape import common_shapes, made_up
from runners.artifacts.integrity import read_document
from runners.artifacts.model_file import open_model
from runners.inputs import Arrays
from runners.load_testing.load_curve import best_curve
from runners.load_testing.sweep import LoadRequest, measure_load
from runners.load_testing.ways import serving_ways
from runners.machine.device import device_line, usable_cores
from runners.machine.telemetry import disable_telemetry
from search.commands.known_exports import require_trusted
from search.commands.options import parse_option
from search.commands.terminal import report_waiting
from search.commands.time import parse_shape
from search.request.locations import Home
from search.request.units import parse_duration
from search.stop_signals import stop_signals
from spaces.errors import RequestError


@dataclass(frozen=True)
class LoadTestOptions:
    """What is tried; what is empty or None is chosen.

    Attributes:
        replicas: Numbers of processes.
        threads: Threads of one call.
        batches: Most requests of one call.
        waits_ms: How long the first request of a batch waits for others.
        rates: Requests a second.
        p99_ms: The 99th percentile within which the highest rate is looked for.
        budget: About how long requests arrive in all, as text.
        seed: Of the arrivals.
        shape: Shape of the input as text, such as ``1,3,32,32``; None takes it from the folder.
    """

    replicas: tuple[int, ...]
    threads: tuple[int, ...]
    batches: tuple[int, ...]
    waits_ms: tuple[float, ...]
    rates: tuple[float, ...] = ()
    p99_ms: float | None = None
    budget: str = "1m"
    seed: int = 0
    shape: str | None = None


def run_load_test(folder: Path, options: LoadTestOptions, home: Home | None, *, as_json: bool) -> None:
    """Measure and print tables of the ways to serve on stdout; what happens goes to stderr.

    Args:
        folder: An exported folder.
        options: What is tried.
        home: The home whose exported folders may run code; None lets every folder.
        as_json: Print one JSON document instead.

    Raises:
        RequestError: An option or the folder cannot be used, or the folder runs code that is not trusted.
        WorkFailed: A replica crashes or hangs.
    """
    disable_telemetry()
    if any(rate <= 0 for rate in options.rates):
        raise RequestError(f"--rate {min(options.rates):g}: give requests a second, above 0")
    budget_s = parse_option("--budget", options.budget, parse_duration)
    ways = serving_ways(usable_cores(), options.replicas, options.threads, options.batches, options.waits_ms)
    document = read_document(folder)
    if home is not None:
        require_trusted(folder, document, home)
    largest = max(way.batch for way in ways)
    request = LoadRequest(folder, _inputs(folder, options.shape, largest), ways, options.rates, budget_s, options.seed)
    print(f"trying {len(ways)} ways to serve {folder}", file=sys.stderr)
    with stop_signals.cleaning_up():
        curves = measure_load(request, waiting=report_waiting, progress=_show_time_left)
    if as_json:
        print(json.dumps({"device": device_line(), **load_json(curves, options.p99_ms)}, allow_nan=False))
        return
    console = Console()
    console.print(ways_table(curves, options.p99_ms))
    console.print()
    console.print(rates_table(best_curve(curves, options.p99_ms)))
    print(f"\n{load_sentence(curves, options.p99_ms)} ({device_line()})")


def _inputs(folder: Path, shape: str | None, batch: int) -> Arrays:
    """Made-up inputs for a call of ``batch`` requests; ``shape`` is that of the one input, the batch first."""
    inputs = open_model(folder, threads=1).inputs
    given = None if shape is None else (batch, *parse_shape(shape)[1:])
    return made_up([each.kind for each in inputs], common_shapes({str(folder): inputs}, given, batch), seed=0)


def _show_time_left(left_s: float) -> None:
    """On a terminal, a line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\x1b[Kabout {left_s:.0f} s left", end="" if left_s > 0 else "\n", file=sys.stderr, flush=True)
