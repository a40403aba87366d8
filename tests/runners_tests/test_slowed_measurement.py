"""A measurement on an accelerator that was slowed down is not trusted, and says why."""

from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import measurement

from runners.measuring import together
from runners.measuring.statistics import PairedTiming
from runners.parallelism.replicas import Serving
from runners.runner import StageTask
from runners.stages import measuring
from runners.stages.job import StageJob
from runners.stages.store_entry import StoredStage
from runners.workload_reference import resolve

HOT = {"accelerators": [{"sm_mhz": 900, "memory_mhz": 2619, "slowed_by": ["heat, slowed by hardware"]}]}
COOL = {"accelerators": [{"sm_mhz": 1980, "memory_mhz": 2619, "slowed_by": []}]}


@pytest.mark.parametrize("splits", [["validation"], []], ids=["trained", "untrained"])
@pytest.mark.parametrize(
    ("machine", "doubt", "said"),
    [
        (COOL, "", ""),
        ({}, "", ""),
        (HOT, "", "an accelerator was slowed down: heat, slowed by hardware"),
        (HOT, "the clock stepped back", "the clock stepped back"),
    ],
)
def test_the_reason_is_that_of_the_accelerator_unless_the_timing_has_one_of_its_own(
    machine: dict[str, Any], doubt: str, said: str, splits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = {**measurement(0.9, 2.0), "unstable": doubt, "machine": machine, "baseline_p50_ms": 1.0, "blocks": 12}
    monkeypatch.setattr(measuring, "call_fresh", lambda *_, **__: timed)
    monkeypatch.setattr(measuring, "serve", lambda **_: Serving(1000.0, 5.0, 100.0))
    parent = StoredStage("", tmp_path, {**measurement(0.9, 2.0), "runtime": "eager"}, 1.0)
    settings = {"serving": {}, "baseline_threads": 1, "splits": splits, "budget_s": 1.0}
    task = StageTask("measuring", "", settings, {}, workload="synthetic", seed=0)
    job = StageJob(task, {"parent": parent, "teacher": parent}, tmp_path, resolve("synthetic"))
    result = measuring.run(job)
    assert result["unstable"] == said
    assert result["machine"] == machine


def test_a_comparison_side_by_side_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(baseline: Any, calls: list[Any], **_: Any) -> list[PairedTiming]:
        known = {"speedup": 1.0, "speedup_ci95": (0.9, 1.1), "baseline_p50_ms": 1.0, "latency_p50_ms": 1.0}
        rest = {"latency_p90_ms": 1.0, "latency_p99_ms": None, "blocks": 3, "outliers": 0, "warm_up_s": 0.1}
        return [PairedTiming(**known, **rest, unstable=doubt) for _, doubt in zip(calls, ["", "busy"], strict=True)]

    monkeypatch.setattr(together, "pin", lambda cores: None)
    monkeypatch.setattr(together, "time_interleaved", timed)
    monkeypatch.setattr(together, "open_baseline", lambda *_: None)
    monkeypatch.setattr(together, "device_state", lambda: HOT)
    request = {"workload": "synthetic", "teacher": None, "baseline_threads": 1, "budget_s": 0.1, "seed": 0}
    members = [{"artifact": None, "threads": 1}] * 2
    said = [timing["unstable"] for timing in together.measure_together({**request, "members": members})]
    assert said == ["an accelerator was slowed down: heat, slowed by hardware", "busy"]
