"""One front's members on equal terms: opened by their own side's loader, judged on two splits, timed by one stopwatch.

`judge` starts a fresh process for it, in which the members run in turn with each other and the baseline.
"""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from plain_loop import load

from runners.backends import find_backend
from runners.lowering.torch_predictor import torch_predictor
from runners.machine.lease import device_lease
from runners.machine.telemetry import disable_telemetry
from runners.measuring.stopwatch import TimingSettings, time_interleaved
from runners.workload import Workload
from runners.workload_loading.reference import resolve

BATCH = 64
SPLITS = ("validation", "test")
Member = Mapping[str, Any]
"""``side`` (``ours`` or ``plain``), ``folder`` of the artifact, and ``configuration`` in that side's own words."""


def judge(reference: Any, members: Sequence[Member], seed: int, budget_s: float) -> list[dict[str, Any]]:
    """What one fresh process finds of ``members``: for each ``speedup``, ``validation`` and ``test``, or ``failure``.

    Args:
        reference: The workload.
        members: What to judge.
        seed: Of the order in which they run.
        budget_s: Seconds of timing for each.

    Raises:
        RuntimeError: The process failed as a whole.
    """
    if not members:
        return []
    request = {"workload": reference, "members": list(members), "seed": seed, "budget_s": budget_s}
    command = [sys.executable, __file__]
    with device_lease(exclusive=True):
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"judging the front failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def combine(runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The members' figures in several processes as one: the geometric mean of the speedups, the first failure."""
    return [_together(figures) for figures in zip(*runs, strict=True)]


def _together(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    failed = next((each for each in figures if "failure" in each), None)
    if failed:
        return dict(failed)
    return {**figures[0], "speedup": float(np.exp(np.mean([np.log(each["speedup"]) for each in figures])))}


def _judge(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What runs in the fresh process."""
    threads = [member["configuration"].get("threads", 1) for member in request["members"]]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: max(threads)])
    workload = resolve(request["workload"])
    (example,) = workload.example_inputs.arrays
    baseline = torch_predictor(workload.model().eval(), 1)  # new weights take the same time
    found, calls = [_opened(workload, member) for member in request["members"]], {}
    for number, (figures, predictor) in enumerate(found):
        if predictor is not None and "failure" not in figures:
            calls[number] = _call(predictor, example)
    if not calls:
        return [figures for figures, _ in found]
    settings = TimingSettings(request["budget_s"], request["seed"])
    timings = time_interleaved(_call(baseline, example), list(calls.values()), settings)
    for number, timing in zip(calls, timings, strict=True):
        found[number][0]["speedup"] = timing.speedup
    return [figures for figures, _ in found]


def _opened(workload: Workload, member: Member) -> tuple[dict[str, Any], Callable[[Any], Any] | None]:
    """The accuracies of a member, and its predictor for one image."""
    try:
        predictor = _open(workload, member, BATCH)
        figures = {split: _accuracy(workload, predictor, split) for split in SPLITS}
        return figures, _open(workload, member, 1)
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}, None


def _open(workload: Workload, member: Member, batch: int) -> Callable[[Any], Any]:
    folder, configuration = Path(member["folder"]), member["configuration"]
    if member["side"] == "plain":
        return load(folder, configuration, batch if batch == 1 else -1)  # type: ignore[no-any-return]
    backend = find_backend(configuration["runtime"])
    return backend.open(folder, threads=configuration.get("threads", 1), batch=batch, build=workload.model)


def _accuracy(workload: Workload, predictor: Callable[[Any], Any], split: str) -> float:
    data = workload.splits[split]
    parts = [data.batch(np.arange(i, min(i + BATCH, len(data)))) for i in range(0, len(data), BATCH)]
    outputs = np.concatenate([predictor(inputs) for inputs, _ in parts])
    return float(workload.metric(outputs, np.concatenate([targets for _, targets in parts])))


def _call(predictor: Callable[[Any], Any], example: Any) -> Callable[[], object]:
    return lambda: predictor(example)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    disable_telemetry()
    print(json.dumps(_judge(json.load(sys.stdin))))
