"""The connections of a search and of all that it starts, and the addresses at which its processes listen."""

import ipaddress
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from search_tests.command import RunningSearch
from search_tests.listening import listeners

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
