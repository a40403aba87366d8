"""Any two models against each other: in one fresh process, on the same cores, on the same input, in turn."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runners.artifacts.input_shape import common_shapes, made_up, shapes_text
from runners.artifacts.model_file import open_model, require_readable
from runners.backend import Predictor
from runners.inputs import Arrays
from runners.machine.lease import device_lease
from runners.measuring.group import combine
from runners.measuring.pair import SAME_ANSWER, prepare_process
from runners.measuring.paired_timing import PairedTiming
from runners.measuring.stopwatch import TimingSettings, time_pair
from runners.processes.fresh_process import HANG_TIMEOUT_S, call_fresh
from runners.runner import StageFailed
from spaces.errors import RequestError, in_one_line

ORDERS = ("ab", "ba", "ab")
"""In which order the two are opened, three times: of two copies of one small model one was 1 to 2 % faster than
the other as long as both lived, because of where their memory lay, and 3 of 8 intervals left 1 out."""


@dataclass(frozen=True)
class Comparison:
    """Model B beside model A.

    Attributes:
        timing: Model B as the candidate and model A as the baseline, over all openings.
        input_shapes: Shape of each input that both were given, the batch first.
        a_output_shape: Shape of the first output of A.
        b_output_shape: Shape of the first output of B.
        difference: Largest difference between the outputs as a share of the largest output, or None where their
            shapes differ.
        unsteady: Which models gave different outputs for the same input: ``a``, ``b``, both or none.
    """

    timing: PairedTiming
    input_shapes: tuple[tuple[int, ...], ...]
    a_output_shape: tuple[int, ...]
    b_output_shape: tuple[int, ...]
    difference: float | None
    unsteady: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonRequest:
    """Which two models to compare, and how.

    Attributes:
        a: Model file or exported folder, as `runners.artifacts.model_file.open_model` reads it.
        b: Another one, or the same.
        shape: Whole shape of the one input, the batch first; needed where neither file holds it.
        batch: Inputs of one call; by default what the models or ``shape`` fix it at, or 1.
        threads: Threads of one call, and the number of cores that both run on.
        budget_s: Seconds of timing.
        seed: Of the inputs, which are standard normal where they are floating, and of the order in which the two run.
    """

    a: Path
    b: Path
    shape: tuple[int, ...] | None = None
    batch: int | None = None
    threads: int = 1
    budget_s: float = 10.0
    seed: int = 0


def compare_files(
    request: ComparisonRequest, *, timeout_s: float = HANG_TIMEOUT_S, waiting: Callable[[], None] | None = None
) -> Comparison:
    """Time model B against model A for about ``budget_s`` seconds, and compare their outputs.

    TorchScript and ``.pt2`` files can run code when they are loaded: open only files that you trust. The device
    is held while it measures, so this must not be called where a `device_lease` is held already.

    Args:
        request: The models and how to compare them.
        timeout_s: When a model that does not come back is ended.
        waiting: Called where something else on this machine is measured or trained first.

    Raises:
        RequestError: A model cannot be opened, or no input that suits both is known.
        StageFailed: A model crashes, hangs, or gives outputs that are not finite.
    """
    for path in (request.a, request.b):
        require_readable(path)
    with tempfile.TemporaryDirectory() as folder, device_lease(exclusive=True, waiting=waiting):
        progress = Path(folder) / "progress"
        try:
            found = call_fresh(_compare, request, progress, timeout_s=timeout_s, what="the timing")
        except StageFailed as error:
            doing = f", while {progress.read_text(encoding='utf-8')}" if progress.exists() else ""
            raise StageFailed(f"{in_one_line(error)}{doing}") from error
    if isinstance(found, Exception):
        raise found
    comparison: Comparison = found
    return comparison


def _compare(request: ComparisonRequest, progress: Path) -> Comparison | RequestError | StageFailed:
    """What runs in the fresh process; it keeps the text in ``progress`` at what it is doing."""
    prepare_process(request.threads)
    try:
        rounds = [_one_round(request, order, progress) for order in ORDERS]
    except (RequestError, StageFailed) as error:
        return error
    timing = combine([each.timing for each in rounds])
    unstable = timing.unstable.replace("the candidate", str(request.b)).replace("the baseline", str(request.a))
    a, b = rounds[0].outputs["a"], rounds[0].outputs["b"]
    return Comparison(
        timing=replace(timing, unstable=unstable),
        input_shapes=rounds[0].shapes,
        a_output_shape=a.shape,
        b_output_shape=b.shape,
        difference=difference(a, b),
        unsteady=tuple(sorted({side for each in rounds for side in each.unsteady})),
    )


@dataclass(frozen=True)
class _Round:
    """What one opening of both models gave; ``outputs`` by side, ``a`` or ``b``."""

    shapes: tuple[tuple[int, ...], ...]
    outputs: Mapping[str, NDArray[np.float64]]
    unsteady: frozenset[str]
    timing: PairedTiming


def _one_round(request: ComparisonRequest, order: str, progress: Path) -> _Round:
    def report(text: str) -> None:
        progress.write_text(text, encoding="utf-8")

    paths = {side: getattr(request, side) for side in order}
    models = {}
    for side, path in paths.items():
        report(f"opening {path}")
        models[side] = open_model(path, request.threads)
    inputs = {str(paths[side]): models[side].inputs for side in ("a", "b")}
    shapes = common_shapes(inputs, request.shape, request.batch)
    example = made_up([each.kind for each in models["a"].inputs], shapes, request.seed)
    calls, before = {}, {}
    for side, path in paths.items():
        report(f"running {path}")
        calls[side], before[side] = _first_call(path, partial(models[side].make_predictor, shapes), example)
    unsteady = {side for side in calls if not _same(before[side], calls[side](*example))}
    report(f"timing {' and '.join(map(str, paths.values()))}")
    settings = TimingSettings(request.budget_s / len(ORDERS), request.seed)
    timing = time_pair(lambda: calls["b"](*example), lambda: calls["a"](*example), settings)
    unsteady |= {side for side in calls if not _same(before[side], calls[side](*example))}
    return _Round(shapes, before, frozenset(unsteady), timing)


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


def _first_call(path: Path, ready: Callable[[], Predictor], example: Arrays) -> tuple[Predictor, NDArray[np.float64]]:
    try:
        predictor = ready()
        outputs = np.asarray(predictor(*example), dtype=np.float64)
    except RequestError:
        raise
    except Exception as error:
        said = f"{path} fails on an input of {shapes_text([array.shape for array in example])} ({in_one_line(error)})"
        raise StageFailed(said) from error
    if not np.isfinite(outputs).all():
        raise StageFailed(f"{path} gives NaN or infinite outputs")
    return predictor, outputs
