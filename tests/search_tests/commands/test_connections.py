"""A search connects to no other machine: each connection of each process that it starts stays on this one."""

import ipaddress
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from search_tests.command import RunningSearch
from search_tests.listening import is_loopback, listeners

pytestmark = pytest.mark.faults("listening")

OUTSIDE = "192.0.2.1"
"""An address that is reserved for documentation (RFC 5737): no machine has it."""

HOOK = """\
import json, os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = [arguments[0]]
    else:
        return
    shown = [address] if isinstance(address, (str, bytes)) else list(address)
    line = json.dumps([os.getpid(), event, [str(part) for part in shown]]) + "\\n"
    descriptor = os.open(os.environ["TEST_CONNECTIONS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)

def report_start():
    descriptor = os.open(os.environ["TEST_CONNECTIONS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps([os.getpid(), "watching", sys.orig_argv]) + "\\n").encode())
    os.close(descriptor)

report_start()
sys.addaudithook(watch)
"""

QUICK = "workload: synthetic\ntrials: 2\nspace:\n  student_width: [1.0, 0.5]\n"


class Watch:
    """The connections that Python processes report, and those that the system reports of all processes."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "connections.jsonl"
        self.sampled: set[tuple[str, str]] = set()
        self.listening: set[tuple[str, str]] = set()
        self.log.touch()
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(HOOK)
        self.environment = {"PYTHONPATH": str(folder / "hook"), "TEST_CONNECTIONS_LOG": str(self.log)}

    def processes(self) -> set[int]:
        """The Python processes that were watched."""
        return {pid for pid, event, _ in self._lines() if event == "watching"}

    def outside(self) -> list[tuple[str, str]]:
        """Each address that is not on this machine, with the event or process that used it."""
        named = [(event, address[0]) for _, event, address in self._lines() if event != "watching" and address]
        return [(who, host) for who, host in [*named, *sorted(self.sampled)] if not stays_here(host)]

    def _lines(self) -> list[list[Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @contextmanager
    def sampling(self, search: RunningSearch) -> Iterator[None]:
        """Record the peers of all processes of the search, also those not in Python, several times a second."""
        over = threading.Event()

        def sample() -> None:
            while not over.wait(0.3):
                for process in search.living():
                    self.sampled |= set(peers(process))
                    self.listening |= set(listeners(process))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def peers(process: psutil.Process) -> list[tuple[str, str]]:
    """The process's name with the address of each peer."""
    try:
        name = process.name()
        return [(name, connection.raddr.ip) for connection in process.net_connections("inet") if connection.raddr]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def stays_here(host: str) -> bool:
    """Whether a host is this machine: a loopback address, no host at all, or a UNIX socket."""
    if host in ("localhost", "", "None") or host.startswith(("/", "\0", "b'")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def test_a_search_connects_to_loopback_and_listens_there_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(tmp_path)
    for name, value in watch.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "study.yaml").write_text(QUICK)
    search = RunningSearch(("search", "study.yaml", "--home", "home"), tmp_path)
    try:
        with watch.sampling(search):
            assert search.process.wait(180) == 0, search.said
    finally:
        search.end()
    assert len(watch.processes()) > 4, "the driver, Ray's Python processes and the measuring processes are watched"
    assert search.process.pid in watch.processes()
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
