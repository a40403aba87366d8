"""Searches on a cluster of two hosts that share only what hosts share: a network, and one folder."""

import json
from collections.abc import Iterator

import pytest
from search_tests.command import COMMAND
from search_tests.hosts import Host, hosts

pytestmark = pytest.mark.slow

PORT = 6379
STUDY = """\
study: small
trials: 2
space:
  student_width: [1.0, 0.5]
  runtime: [eager]
"""
WORKLOAD = """
import platform
from pathlib import Path

{imported}
from runners.workload import Workload
from runners.workloads.synthetic import make_network as plain, make_splits
from spaces.plans import TrainingPlan


def make_network():
    (Path("{shared}") / "made-by-{{}}".format(platform.node())).touch()
    return plain()


WORKLOAD = Workload("travels", make_network, make_splits, training=TrainingPlan(epochs=1))
"""
ON_PATH = """
import sys
sys.path.append("{site}")
import of_the_head_alone
"""
RAY = (COMMAND.with_name("ray"), "start", "--num-cpus=1", "--object-store-memory=80000000")


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Host]]:
    """Two hosts with a node of Ray each; the first is its head."""
    with hosts(2) as (head, other):
        for host, which in ((head, ("--head", f"--port={PORT}", f"--temp-dir={head.own}/r")), (other, (_join(head),))):
            done = host.run(*RAY, f"--node-ip-address={host.address}", *which)
            assert done.returncode == 0, done.stdout + done.stderr
        head.write("study.yaml", STUDY)
        yield [head, other]


def _join(head: Host) -> str:
    return f"--address={head.address}:{PORT}"


def _search(driver: Host, head: Host, workload: str, store: object, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a search that ``driver`` begins."""
    places = (_join(head), "--workload", workload, "--stage-store", store, "--home", driver.own / "home")
    done = driver.run(COMMAND, "search", "study.yaml", "--json", *places, **environment)
    return done.returncode, done.stdout, done.stderr


def test_a_store_of_the_same_name_on_each_host_is_refused_before_the_first_trial(cluster: list[Host]) -> None:
    head, other = cluster
    code, _, said = _search(head, head, "synthetic", head.own / "stages")
    assert code == 2, said
    assert f"--stage-store {head.own}/stages: node {other.address} does not reach it (what the search wrote" in said
    assert "trial" not in said


def test_a_workload_that_one_host_cannot_import_is_refused_before_the_first_trial(cluster: list[Host]) -> None:
    head, other = cluster
    site = head.write("site/of_the_head_alone.py", "").parent
    head.write("needs/needs.py", WORKLOAD.format(imported=ON_PATH.format(site=site), shared=head.shared))
    code, _, said = _search(head, head, "needs/needs.py", head.shared / "stages")
    assert code == 2, said
    assert f"--workload: node {other.address} cannot load it (" in said
    assert "needs.py" in said
    assert "of_the_head_alone" in said


def test_a_search_runs_on_both_hosts_with_a_workload_that_only_one_of_them_has(cluster: list[Host]) -> None:
    head, _ = cluster
    head.write("travels/travels.py", WORKLOAD.format(imported="", shared=head.shared))
    code, printed, said = _search(head, head, "travels/travels.py", head.shared / "stages")
    assert code == 0, said
    assert json.loads(printed)["trials"] == 2
    assert {file.name for file in head.shared.glob("made-by-*")} == {"made-by-host1", "made-by-host2"}
