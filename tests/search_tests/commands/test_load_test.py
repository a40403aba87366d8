"""``frontrunner load-test`` on a real exported folder, in real replicas."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.artifacts.test_verification import exported
from search_tests.command import document, frontrunner

from runners.load_testing.load_curve import ServingWay
from runners.load_testing.ways import serving_ways
from search.commands.load_test import LoadTestOptions, run_load_test
from spaces.errors import RequestError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export"), speedup=1.0)


def load_test(folder: Path, *options: object) -> Any:
    leases = folder.parent / "leases"
    return frontrunner("load-test", folder, *options, cwd=folder.parent, FRONTRUNNER_LEASES=str(leases))


def test_each_way_to_serve_is_tried_at_each_rate(folder: Path) -> None:
    ways = "--replicas", 1, "--threads", 1, "--batch", 1, "--batch", 4, "--wait-ms", 1
    found = document(load_test(folder, *ways, "--rate", 2000, "--rate", 1000, "--budget", "1s", "--trust", "--json"))
    assert [way["way"]["batch"] for way in found["ways"]] == [1, 4]
    assert found["best"] in (0, 1)
    for way in found["ways"]:
        assert way["capacity_per_s"] > 100
        assert [point["rate_per_s"] for point in way["points"]] == [1000, 2000]
        for point in way["points"]:
            assert point["requests"] == pytest.approx(1100, rel=0.15), "enough for a 99th percentile"
            assert 0 < point["answered"] <= 1
            assert point["p50_ms"] is None or point["p50_ms"] > 0


def test_a_folder_that_runs_code_is_refused_in_one_sentence(folder: Path) -> None:
    done = load_test(folder)
    assert done.returncode == 2
    assert "runs code" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_rate_of_nothing_and_too_many_threads_are_refused(folder: Path) -> None:
    nothing = LoadTestOptions((), (), (), ())
    for options, said in (
        (replace(nothing, rates=(5.0, 0.0)), "--rate 0: give requests a second, above 0"),
        (replace(nothing, threads=(4096,)), "fewer than the replicas times the threads that were asked for"),
    ):
        with pytest.raises(RequestError, match=said):
            run_load_test(folder, options, None, as_json=True)


def test_a_wait_is_tried_only_where_there_is_a_batch_to_wait_for() -> None:
    assert serving_ways(4) == (
        *(ServingWay(1, 4, *how) for how in ((1, 0.0), (8, 0.0), (8, 2.0))),
        *(ServingWay(4, 1, *how) for how in ((1, 0.0), (8, 0.0), (8, 2.0))),
    )
    assert serving_ways(4, threads=[2], batches=[1]) == (ServingWay(1, 2), ServingWay(2, 2))
    assert serving_ways(2, replicas=[1, 8], batches=[1]) == (ServingWay(1, 2),)
    with pytest.raises(RequestError, match="this machine has 2 usable cores"):
        serving_ways(2, replicas=[2], threads=[2])
