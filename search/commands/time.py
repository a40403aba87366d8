"""``frontrunner time``: how much faster one model is than another, as a sentence."""

import json
import sys
from pathlib import Path
from typing import Any

from dashboards.front_document import interval_text, times
from runners.artifacts.comparison import Comparison, ComparisonRequest, compare_files
from runners.backends import all_backends
from runners.machine.device import describe, usable_cores
from runners.machine.telemetry import silence
from search.commands.verify import tell_that_it_waits
from search.request.units import parse_duration
from spaces.errors import RequestError
from spaces.setting_error import SettingError


def time_files(
    a: Path,
    b: Path,
    *,
    shape: str | None,
    batch: int | None,
    threads: int,
    budget: str,
    seed: int,
    as_json: bool,
) -> None:
    """Time model ``b`` against model ``a`` and print what was found; warnings go to stderr.

    Raises:
        RequestError: An option or a model cannot be used.
        WorkFailed: A model crashes, hangs, or gives outputs that are not finite.
    """
    silence()
    if threads > usable_cores():
        raise RequestError(f"--threads {threads}: this machine has {usable_cores()} cores to use; give fewer threads")
    budget_s = _budget_s(budget)
    print(f"timing {a} and {b} for about {budget_s:g} s, longer where a call is slow", file=sys.stderr)
    request = ComparisonRequest(
        a,
        b,
        shape=parse_shape(shape) if shape is not None else None,
        batch=batch,
        threads=threads,
        budget_s=budget_s,
        seed=seed,
    )
    found = compare_files(request, waiting=tell_that_it_waits)
    device = describe(all_backends()).device
    if as_json:
        print(json.dumps(document(found, str(a), str(b), threads, device), allow_nan=False))
        return
    print(sentence(found, str(a), str(b), threads, device))
    if found.difference is not None:
        print(difference_sentence(found))
    for warning in warnings(found, str(a), str(b)):
        print(f"warning: {warning}", file=sys.stderr)


def parse_shape(text: str) -> tuple[int, ...]:
    """``1,3,32,32`` as numbers.

    Raises:
        RequestError: It is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise RequestError(f"--shape {text}: give whole numbers above 0, the batch first, such as 1,3,32,32")
    return tuple(int(part) for part in parts)


def sentence(found: Comparison, a: str, b: str, threads: int, device: str) -> str:
    """Which is faster, by how much, and on what."""
    low, high = found.speedup_ci95
    ratio = (
        f"{b} is {times(found.speedup)}x as fast as {a} (95 % {interval_text(low, high)}): "
        f"{found.b_p50_ms:.3g} ms against {found.a_p50_ms:.3g} ms a call, {threads} thread{'s' * (threads != 1)}, "
        f"batch {found.input_shape[0]}, {device}"
    )
    return f"no difference can be told: {ratio}" if low <= 1 <= high else ratio


def difference_sentence(found: Comparison) -> str:
    """How far the outputs are apart."""
    if found.difference is None:
        a, b = (",".join(map(str, shape)) for shape in (found.a_output_shape, found.b_output_shape))
        return f"their outputs differ in shape: {a} and {b}"
    if not found.difference:
        return "their outputs are the same"
    return f"the largest difference between their outputs is {found.difference:.2g} of the largest output"


def warnings(found: Comparison, a: str, b: str) -> list[str]:
    """What makes the figures doubtful, a sentence each."""
    names = {"a": a, "b": b}
    doubts = [f"do not trust the speedup: {found.unstable}"] if found.unstable else []
    doubts += [f"{names[side]} gives different answers to the same input" for side in found.unsteady]
    return doubts + ([f"they do not do the same: {difference_sentence(found)}"] if found.difference is None else [])


def document(found: Comparison, a: str, b: str, threads: int, device: str) -> dict[str, Any]:
    """The comparison as plain JSON."""
    return {
        "model_a": a,
        "model_b": b,
        "speedup": found.speedup,
        "speedup_ci95": list(found.speedup_ci95),
        "latency_p50_ms": {"a": found.a_p50_ms, "b": found.b_p50_ms},
        "blocks": found.blocks,
        "outliers": {"a": found.a_outliers, "b": found.b_outliers},
        "machine": dict(found.machine),
        "unstable": found.unstable,
        "difference": found.difference,
        "output_shape": {"a": list(found.a_output_shape), "b": list(found.b_output_shape)},
        "input_shape": list(found.input_shape),
        "warnings": warnings(found, a, b),
        "threads": threads,
        "batch": found.input_shape[0],
        "device": device,
    }


def _budget_s(text: str) -> float:
    try:
        return parse_duration(text)
    except SettingError as error:
        raise RequestError(f"--budget {text}: {error}") from error
