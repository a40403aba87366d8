"""What decides the key of a stage's result, and what does not."""

from dataclasses import replace

import pytest

from runners.runner import StageTask
from runners.stages.keys import STAGE_VERSIONS, stage_key

TASK = StageTask("teacher", "", {"plan": {}, "pretrained": False}, {}, "digits", seed=0)


def test_everything_that_decides_a_result_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        stage_key(TASK, "f"),
        stage_key(TASK, "g"),
        stage_key(replace(TASK, seed=1), "f"),
        stage_key(replace(TASK, settings={**TASK.settings, "pretrained": True}), "f"),
        stage_key(replace(TASK, inputs={"parent": "x"}), "f"),
        stage_key(replace(TASK, stage="lowering"), "f"),
    }
    monkeypatch.setitem(STAGE_VERSIONS, "teacher", 99)
    keys.add(stage_key(TASK, "f"))
    monkeypatch.setattr("runners.stages.keys.library_versions", lambda: {"torch": "0"})
    keys.add(stage_key(TASK, "f"))
    assert len(keys) == 8


def test_what_does_not_decide_a_result_does_not_change_its_key() -> None:
    other = replace(TASK, cpus=9, configuration='{"x":1}', key="other")
    assert stage_key(TASK, "f") == stage_key(other, "f")
