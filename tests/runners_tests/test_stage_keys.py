"""What decides the key of a stage's result, and what does not."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spaces_tests.environments import LAPTOP

from runners import stage_keys
from runners.backends import all_backends, backend_names, find_backend
from runners.chains.chain import Chains
from runners.chains.post_training import PostTrainingChains
from runners.machine import versions
from runners.runner import StageTask, WorkloadFacts
from runners.stage_keys import stage_key
from runners.workload_loading import code_digest
from runners.workload_loading.fingerprint import MAKERS
from spaces.configuration import Configuration
from spaces.environment import BackendFacts
from spaces.space_document import make_space

FACTS = WorkloadFacts("table", "f" * 64, pretrained=True)
TASK = StageTask("teacher", "", {"plan": {}, "pretrained": False}, {}, "digits", seed=0)
STAGES = (
    TASK,
    replace(TASK, stage="transforming", settings={"technique": "channel_pruning", "channel_pruning": 0.5}),
    replace(TASK, stage="transforming", settings={"technique": "student_width", "student_width": 0.5}),
    *(replace(TASK, stage=stage) for stage in ("training", "settling", "quantising", "measuring")),
    *(replace(TASK, stage="lowering", settings={"runtime": name}) for name in ("eager", "onnxruntime")),
    *(replace(TASK, stage=stage) for stage in ("comparing", "calibrating")),
)


def test_everything_that_decides_a_result_changes_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        stage_key(TASK, "f"),
        stage_key(TASK, "g"),
        stage_key(replace(TASK, seed=1), "f"),
        stage_key(replace(TASK, settings={**TASK.settings, "pretrained": True}), "f"),
        stage_key(replace(TASK, inputs={"parent": "x"}), "f"),
        stage_key(replace(TASK, stage="training"), "f"),
    }
    monkeypatch.setattr("runners.stage_keys.stage_code", lambda *given: "other code")
    keys.add(stage_key(TASK, "f"))
    monkeypatch.setattr("runners.stage_keys.library_versions", lambda *others: {"torch": "0"})
    keys.add(stage_key(TASK, "f"))
    assert len(keys) == 8


def test_what_does_not_decide_a_result_does_not_change_its_key() -> None:
    other = replace(TASK, cpus=9, configuration='{"x":1}', key="other")
    assert stage_key(TASK, "f") == stage_key(other, "f")


Edit = Callable[[str, str, str], set[str]]
"""Replaces the first such text in a file, and gives the stages whose keys have changed, with what they make use of."""


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """An edit of a copy of our packages, which lies in another place."""

    def copied(name: str) -> Path:
        root = tmp_path / name
        for package in code_digest.COUNTED:
            shutil.copytree(code_digest.ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
        return root

    def all_keys(root: Path) -> dict[str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(code_digest, "ROOT", root)
            stage_keys.stage_code.cache_clear()
            found = {_name(task): stage_key(task, "f") for task in STAGES}
            return {**found, "torchvision": code_digest.code_digest(MAKERS)}

    def change(file: str, old: str, new: str) -> set[str]:
        root = copied("changed")
        text = (root / file).read_text()
        assert old in text, f"{file} has no {old}"
        (root / file).write_text(text.replace(old, new, 1))
        before, after = all_keys(code_digest.ROOT), all_keys(root)
        return {name for name in before if before[name] != after[name]}

    yield change
    stage_keys.stage_code.cache_clear()


def _name(task: StageTask) -> str:
    return " ".join([task.stage, *(task.settings[n] for n in ("technique", "runtime") if n in task.settings)])


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (
            "spaces/techniques/channel_pruning.py",
            "keep=1.0 - float",
            "keep=0.9 - float",
            {"transforming channel_pruning"},
        ),
        (
            "spaces/slimming/slim.py",
            "def slim(",
            "LIMIT = 1\n\n\ndef slim(",
            {"transforming channel_pruning", "transforming student_width"},
        ),
        ("runners/backends/onnxruntime.py", "def lower(", "limit = 1\n\n    def lower(", {"lowering onnxruntime"}),
        ("runners/stages/teacher.py", "teacher_seconds=", "teacher_seconds=1 + ", {"teacher"}),
        ("runners/training/loop.py", "def train(", "LIMIT = 1\n\n\ndef train(", {"teacher", "training"}),
        ("runners/serving/replica_process.py", "import", "LIMIT = 1\nimport", {"measuring"}),
        (
            "runners/measuring/stopwatch.py",
            "def time_pair(",
            "LIMIT = 1\n\n\ndef time_pair(",
            {"measuring", "comparing", "calibrating"},
        ),
        (
            "runners/quality/teacher_metric.py",
            "def agreement(",
            "LIMIT = 1\n\n\ndef agreement(",
            {
                *("teacher", "training", "measuring", "comparing", "calibrating"),
                *("transforming channel_pruning", "transforming student_width"),  # they judge what a change loses
            },
        ),
        ("runners/datasets/crop_and_flip.py", "height / 8", "height / 4", {"torchvision"}),
    ],
)
def test_an_edit_of_code_changes_the_keys_of_the_stages_that_use_it_and_no_others(
    edit: Edit, file: str, old: str, new: str, changed: set[str]
) -> None:
    assert edit(file, old, new) == changed


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("runners/stages/teacher.py", "import time", "import time  # a comment"),
        ("runners/stages/teacher.py", '"""The teacher:', '"""Another docstring:'),
        ("runners/store/entry.py", "import json", "import json\n\nLIMIT = 1"),
        ("runners/processes/fresh_process.py", "import os", "import os\n\nLIMIT = 1"),
        ("runners/executors/local.py", "class", "LIMIT = 1\n\n\nclass"),
    ],
)
def test_comments_and_code_that_computes_nothing_change_no_key(edit: Edit, file: str, old: str, new: str) -> None:
    assert edit(file, old, new) == set()


def test_every_technique_and_backend_has_a_key_of_its_own_code() -> None:
    from spaces.space_document import all_techniques

    codes = {stage_keys.stage_code("transforming", technique.name, None) for technique in all_techniques()}
    codes |= {stage_keys.stage_code("lowering", None, name) for name in all_backends()}
    assert len(codes) == len(all_techniques()) + len(all_backends())


@pytest.mark.parametrize("name", backend_names())
def test_another_version_of_what_a_backend_needs_gives_another_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(newer: str) -> str:
        monkeypatch.setattr(versions, "version", lambda library: "2" if library == newer else "1")
        versions.library_versions.cache_clear()
        return stage_key(replace(TASK, stage="lowering", settings={"runtime": name}), "f")

    others = (*find_backend(name).packages, "timm", "scikit-learn", "onnxslim")
    found = {key(newer) for newer in ("none", *others)}
    versions.library_versions.cache_clear()
    assert len(found) == 1 + len(others)


@pytest.mark.parametrize("kind", [Chains, PostTrainingChains])
@pytest.mark.parametrize("other", [{"device": "another"}, {"cpu_flags": ("avx2",)}])
def test_machine_code_is_lowered_anew_for_another_machine_and_nothing_else_is(
    kind: type[Chains], other: dict[str, Any]
) -> None:
    choices = {"runtime": ["onnxruntime", "aotinductor"]}
    backends = {**LAPTOP.backends, "aotinductor": BackendFacts(("fp32",))}
    keys_of: dict[str, set[str]] = {"eager": set(), "onnxruntime": set(), "aotinductor": set()}
    for machine in (LAPTOP, replace(LAPTOP, **other)):
        chains = kind(make_space(choices, replace(machine, backends=backends)), FACTS, "digits", 0)
        for runtime, found in keys_of.items():
            chain = chains.chain(Configuration({**chains.space.baseline(), "runtime": runtime}))
            found.update(task.key for task in chain if task.stage == "lowering")
    assert {runtime: len(found) for runtime, found in keys_of.items()} == {
        "eager": 1,
        "onnxruntime": 1,
        "aotinductor": 2,
    }


def test_a_task_carries_the_code_that_is_in_its_key() -> None:
    space = make_space({}, LAPTOP)
    tasks = Chains(space, FACTS, "digits", 0).chain(space.baseline())
    assert all(task.code == stage_keys.code_of(task) for task in tasks)
    assert len({task.code for task in tasks}) == len(tasks)
