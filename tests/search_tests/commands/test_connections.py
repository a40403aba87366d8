"""A search connects to no other machine: each connection of each process that it starts stays on this one."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from search_tests.connections import Watch, peers, stays_here
from search_tests.listening import is_loopback, listeners
from search_tests.whole_search import Searched

pytestmark = pytest.mark.faults("listening")

OUTSIDE = "192.0.2.1"
"""An address that is reserved for documentation (RFC 5737): no machine has it."""


def test_a_search_connects_to_loopback_and_listens_there_alone(searched: Searched) -> None:
    watch = searched.watch
    assert len(watch.processes()) > 4, "the driver, Ray's Python processes and the measuring processes are watched"
    assert searched.pid in watch.processes()
    assert any(name == "raylet" for name, _ in watch.sampled), "processes that are not in Python are watched too"
    assert watch.outside() == []
    assert {"raylet", "gcs_server"} <= {name for name, _ in watch.listening}
    assert [(name, host) for name, host in watch.listening if not is_loopback(host)] == []


def test_the_watch_sees_a_connection_to_outside_in_any_process(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    reach_out = f"import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('{OUTSIDE}', 9))"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {reach_out!r}], check=True)"
    environment = {**os.environ, **watch.environment}
    subprocess.run([sys.executable, "-c", start], env=environment, check=True, timeout=30)
    assert watch.outside() == [("socket.connect", OUTSIDE)]
    assert len(watch.processes()) == 2


def test_the_watch_sees_a_connection_to_outside_in_a_workload_file(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    reach_out = f"import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('{OUTSIDE}', 9))\n"
    (tmp_path / "mine.py").write_text(reach_out + "from runners.workloads.synthetic import WORKLOAD\n")
    load = f"from runners.workload_loading.reference import resolve; resolve({str(tmp_path / 'mine.py')!r})"
    environment = {**os.environ, **watch.environment}
    subprocess.run([sys.executable, "-c", load], env=environment, check=True, timeout=60, cwd=tmp_path)
    assert ("socket.connect", OUTSIDE) in watch.outside()


def test_the_sampler_sees_the_peer_of_a_process() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert "127.0.0.1" in {address for _, address in peers(psutil.Process())}


def test_the_sampler_sees_where_a_process_listens() -> None:
    import socket

    with socket.create_server(("0.0.0.0", 0)):
        assert "0.0.0.0" in {address for _, address in listeners(psutil.Process())}


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False)],
)
def test_an_address_of_all_networks_is_no_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "8.8.8.8", "::ffff:8.8.8.8", "example.org", "2001:db8::1"])
def test_other_machines_are_recognised(host: str) -> None:
    assert not stays_here(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::ffff:127.0.0.1", "::1", "localhost", "/tmp/socket", "0.0.0.0"]
)
def test_this_machine_is_recognised(host: str) -> None:
    assert stays_here(host)
