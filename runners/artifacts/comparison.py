"""Any two models against each other: in one fresh process, on the same cores, on the same input, in turn."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.artifacts.input_shape import common_shape, in_words
from runners.artifacts.model_file import in_one_line, open_model, require_readable
from runners.backend import Predictor
from runners.machine.lease import device_lease
from runners.measuring.group import combine
from runners.measuring.pair import SAME_ANSWER, pin
from runners.measuring.stopwatch import time_pair
from runners.processes.fresh_process import SILENT_S, call_fresh
from runners.runner import StageFailed
from spaces.errors import RequestError

ORDERS = ("ab", "ba", "ab")
"""In which order the two are opened, each time anew: of two copies of one small model one was 1 to 2 % faster than
the other as long as both lived, because of where their memory lay, and 3 of 8 intervals left 1 out."""


@dataclass(frozen=True)
class Comparison:
    """Model B beside model A.

    Attributes:
        speedup: Time of A / time of B.
        speedup_ci95: From the lowest to the highest end of the 95 % intervals of all openings.
        a_p50_ms: Median time of one call of A.
        b_p50_ms: Median time of one call of B.
        blocks: Number of blocks in which both were timed.
        a_outliers: Calls of A that took far longer than most; they count in all figures.
        b_outliers: Those of B.
        unstable: Why not to trust it, or an empty string.
        machine: Clocks, throttling and load right after the timing, as far as they can be known.
        input_shape: Shape of the input that both were given, the batch first.
        a_output_shape: Shape of the first output of A.
        b_output_shape: Shape of the first output of B.
        difference: Largest difference between the outputs as a share of the largest output, or None where their
            shapes differ.
        unsteady: Which models gave different answers to the same input: ``a``, ``b``, both or none.
    """

    speedup: float
    speedup_ci95: tuple[float, float]
    a_p50_ms: float
    b_p50_ms: float
    blocks: int
    a_outliers: int
    b_outliers: int
    unstable: str
    machine: Mapping[str, Any]
    input_shape: tuple[int, ...]
    a_output_shape: tuple[int, ...]
    b_output_shape: tuple[int, ...]
    difference: float | None
    unsteady: tuple[str, ...]


def compare_files(
    a: Path,
    b: Path,
    *,
    shape: tuple[int, ...] | None = None,
    batch: int | None = None,
    threads: int = 1,
    budget_s: float = 10.0,
    seed: int = 0,
    timeout_s: float = SILENT_S,
    waiting: Callable[[], None] | None = None,
) -> Comparison:
    """Time model B against model A for about ``budget_s`` seconds, and compare what they answer.

    TorchScript and ``.pt2`` files can run code when they are loaded: open only files that you trust. The device
    is held while it measures, so this must not be called where a `device_lease` is held already.

    Args:
        a: Model file or exported folder, as `runners.artifacts.model_file.open_model` reads it.
        b: Another one, or the same.
        shape: Whole shape of the input, the batch first; needed where neither model tells it.
        batch: Inputs of one call; by default what the models or ``shape`` fix it at, or 1.
        threads: Threads of one call, and the number of cores that both run on.
        budget_s: Seconds of timing.
        seed: Of the input, which is standard normal, and of the order in which the two run.
        timeout_s: When a model that does not come back is ended.
        waiting: Called where something else on this machine is measured or trained first.

    Raises:
        RequestError: A model cannot be opened, or no input that suits both is known.
        StageFailed: A model crashes, hangs, or gives outputs that are not finite.
    """
    for path in (a, b):
        require_readable(path)
    request = {
        "paths": {"a": str(a), "b": str(b)},
        "shape": shape,
        "batch": batch,
        "threads": threads,
        "budget_s": budget_s,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as folder, device_lease(exclusive=True, waiting=waiting):
        note = Path(folder) / "note"
        try:
            found = call_fresh(_compare, {**request, "note": str(note)}, timeout_s=timeout_s, what="the timing")
        except StageFailed as error:
            raise StageFailed(f"{' '.join(str(error).split())}{_last(note)}") from error
    if "refused" in found:
        raise RequestError(found["refused"])
    if "failed" in found:
        raise StageFailed(found["failed"])
    return Comparison(**found)


def _compare(request: Mapping[str, Any]) -> dict[str, Any]:
    """What runs in the fresh process: fields of `Comparison`, or why there are none."""
    pin(request["threads"])
    try:
        return asdict(_time(request))
    except RequestError as error:
        return {"refused": str(error)}
    except StageFailed as error:
        return {"failed": str(error)}


@dataclass(frozen=True)
class _Round:
    """What one opening of both models gave."""

    shape: tuple[int, ...]
    outputs: Mapping[str, NDArray[np.float64]]
    unsteady: frozenset[str]
    timing: dict[str, Any]


def _time(request: Mapping[str, Any]) -> Comparison:
    rounds = [_one_round(request, order) for order in ORDERS]
    first, timing = rounds[0], combine([each.timing for each in rounds])
    a, b = first.outputs["a"], first.outputs["b"]
    names = request["paths"]
    return Comparison(
        speedup=timing["speedup"],
        speedup_ci95=timing["speedup_ci95"],
        a_p50_ms=timing["baseline_p50_ms"],
        b_p50_ms=timing["latency_p50_ms"],
        blocks=timing["blocks"],
        a_outliers=timing["baseline_outliers"],
        b_outliers=timing["outliers"],
        machine=timing["machine"],
        unstable=timing["unstable"].replace("the candidate", names["b"]).replace("the baseline", names["a"]),
        input_shape=first.shape,
        a_output_shape=a.shape,
        b_output_shape=b.shape,
        difference=difference(a, b),
        unsteady=tuple(sorted(frozenset[str]().union(*(each.unsteady for each in rounds)))),
    )


def _one_round(request: Mapping[str, Any], order: str) -> _Round:
    paths, note = {side: request["paths"][side] for side in order}, Path(request["note"])
    models = {}
    for side, path in paths.items():
        note.write_text(f"opening {path}", encoding="utf-8")
        models[side] = open_model(Path(path), request["threads"])
    told = {path: models[side].shape for side, path in request["paths"].items()}
    shape = common_shape(told, request["shape"], request["batch"])
    example = np.random.default_rng(request["seed"]).standard_normal(shape, dtype=np.float32)
    calls, before = {}, {}
    for side, path in paths.items():
        note.write_text(f"running {path}", encoding="utf-8")
        calls[side], before[side] = _first_call(path, partial(models[side].ready, shape), example)
    unsteady = {side for side in calls if not _same(before[side], calls[side](example))}
    note.write_text(f"timing {' and '.join(paths.values())}", encoding="utf-8")
    budget_s = request["budget_s"] / len(ORDERS)
    timing = time_pair(
        lambda: calls["b"](example), lambda: calls["a"](example), budget_s=budget_s, seed=request["seed"]
    )
    unsteady |= {side for side in calls if not _same(before[side], calls[side](example))}
    return _Round(shape, before, frozenset(unsteady), timing.to_json())


def difference(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Largest difference as a share of the largest value of either, 0 where all are 0; None for other shapes."""
    if a.shape != b.shape:
        return None
    if not a.size:
        return 0.0
    largest = max(float(np.abs(a).max()), float(np.abs(b).max()))
    return float(np.abs(a - b).max()) / largest if largest else 0.0


def _same(before: NDArray[Any], after: NDArray[Any]) -> bool:
    apart = difference(before, np.asarray(after, dtype=np.float64))
    return apart is not None and apart <= SAME_ANSWER


def _first_call(
    path: str, ready: Callable[[], Predictor], example: NDArray[Any]
) -> tuple[Predictor, NDArray[np.float64]]:
    try:
        predictor = ready()
        outputs = np.asarray(predictor(example), dtype=np.float64)
    except RequestError:
        raise
    except Exception as error:
        said = f"{path} fails on an input of {in_words(example.shape)} ({in_one_line(error)})"
        raise StageFailed(said) from error
    if not np.isfinite(outputs).all():
        raise StageFailed(f"{path} gives NaN or infinite outputs")
    return predictor, outputs


def _last(note: Path) -> str:
    return f", while {note.read_text(encoding='utf-8')}" if note.exists() else ""
