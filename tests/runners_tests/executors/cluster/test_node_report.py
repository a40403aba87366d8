"""What nodes answer before the first trial: a store they do not reach, a workload they cannot load, a wrong clock."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from runners_tests.executors.cluster.test_placement import Watched
from runners_tests.executors.cluster.test_placement import watched as watched  # a fixture

from runners.executors.cluster.node_report import NodeReport, Question, make_report, notes_on, require_ready
from runners.executors.cluster.node_software import installed
from runners.store.shared_mark import mark_left_in
from spaces.errors import RequestError

WITH_PACKAGE = """
import of_the_driver_alone
from runners.workload import Workload
from runners.workloads.synthetic import make_network, make_splits

WORKLOAD = Workload("imports", make_network, make_splits, pretrained=True)
"""
READY = NodeReport(installed(), None, None, 1000.0)
ASKED = Question("digits", None, "s3://user:secret@bucket/stages", "marks/1")


def test_a_machine_that_reaches_the_store_and_loads_the_workload_is_ready(tmp_path: Path) -> None:
    with mark_left_in(str(tmp_path)) as mark:
        report = make_report(Question("synthetic", None, str(tmp_path), mark))
    assert (report.not_loaded, report.not_reached) == (None, None)
    assert report.software == installed()
    assert abs(report.clock_s - time.time()) < 60
    require_ready({"10.0.0.1": report}, ASKED)
    assert make_report(Question()).not_reached is None, "nothing was asked of a store"


def test_a_workload_that_cannot_be_loaded_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "imports.py").write_text(WITH_PACKAGE)
    found = make_report(Question(str(tmp_path / "imports.py"))).not_loaded
    assert found is not None
    assert "imports.py" in found
    assert "of_the_driver_alone" in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("reports", "sentence"),
    [
        (
            {"10.0.0.1": READY, "10.0.0.2": replace(READY, not_reached="it cannot write there: Permission denied")},
            r"^--stage-store s3://bucket/stages: node 10.0.0.2 does not reach it \(it cannot write there: Permission "
            r"denied\); name a folder that every node has under this path, or a URL",
        ),
        (
            {"10.0.0.1": READY, "10.0.0.2": replace(READY, not_loaded="a.py, line 1: no module x")},
            r"^--workload: node 10.0.0.2 cannot load it \(a.py, line 1: no module x\); what it needs beside its own "
            "folder has to be on every node",
        ),
        ({"10.0.0.2": replace(READY, not_loaded="no module x")}, "^--workload: no node of the cluster can load it"),
        (
            {"10.0.0.2": replace(READY, software={}, not_reached="nothing is there", not_loaded="no module x")},
            "^--address: node 10.0.0.2 has no Python",
        ),
        ({"10.0.0.1": replace(READY, not_loaded="x", not_reached="y"), "10.0.0.2": READY}, "^--stage-store"),
        ({"10.0.0.1": "no module runners"}, "^--address: Frontrunner does not run on node 10.0.0.1"),
    ],
)
def test_a_node_that_cannot_work_for_the_search_is_refused(
    reports: Mapping[str, NodeReport | str], sentence: str
) -> None:
    require_ready({"10.0.0.1": READY}, ASKED)
    with pytest.raises(RequestError, match=sentence):
        require_ready(reports, ASKED)


@pytest.mark.parametrize(
    ("clock_s", "told"),
    [
        (1000.0, None),
        (1005.0, None),
        (1069.0, None),
        (941.0, None),
        (1250.0, "the clock of node a is 4 minutes ahead;"),
        (700.0, "the clock of node a is 5 minutes behind;"),
    ],
)
def test_a_clock_is_told_that_differs_by_more_than_a_minute_from_when_its_node_was_asked(
    clock_s: float, told: str | None
) -> None:
    notes = notes_on({"a": replace(READY, clock_s=clock_s), "b": "it is gone"}, 1000.0, 1010.0)
    assert [note.startswith(told or "") for note in notes] == [True] * (told is not None)


def test_a_node_that_does_not_answer_is_told_and_holds_nothing_up() -> None:
    reports = {"10.0.0.1": READY, "10.0.0.2": None}
    require_ready(reports, ASKED)
    (note,) = notes_on(reports, 1000.0, 1300.0)
    assert note.startswith("node 10.0.0.2 did not answer within 300 s,")


@pytest.mark.slow
def test_the_nodes_of_a_cluster_are_asked_for_all_of_it(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from runners.executors import ray as ray_executor

    watched.cluster.add_node(num_cpus=1)
    (watched.folder / "imports.py").write_text(WITH_PACKAGE)
    with ray_executor.RayRunner(watched.folder / "store", watched.cluster.address) as runner:
        with pytest.raises(RequestError, match=r"^--workload: no node of the cluster can load it .*imports.py"):
            runner.inspect(str(watched.folder / "imports.py"), {})
        now = time.time
        monkeypatch.setattr(ray_executor.time, "time", lambda: now() - 600)
        notes = runner.inspect("synthetic", {})[1].notes
        assert any("the clock of node" in note and "is 10 minutes ahead" in note for note in notes), notes
        assert [*(watched.folder / "store" / "marks").iterdir()] == []
        monkeypatch.setattr(ray_executor, "mark_left_in", lambda store: mark_left_in(f"{store}-of-another-node"))
        with pytest.raises(RequestError, match=r"^--stage-store .*/store: node .* does not reach it \(what the search"):
            runner.describe()
