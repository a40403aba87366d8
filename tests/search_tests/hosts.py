"""Hosts on one machine: namespaces of Linux, each with an address, a host name, processes and a folder of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("unshare", "nsenter", "ip", "mount", "hostname")
KINDS = ("--net", "--mount", "--uts", "--pid")
NEW = ("unshare", *KINDS, "--fork", "--kill-child", "--mount-proc")
STAYS = ("bash", "-c", "while :; do sleep 60; done")
"""The first process of a host, which takes leave of those that lost their parent. All end with it."""
STARTS_S = 600.0


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        address: Of its one network card, ``eth0``.
        process: The number of its first process.
        shared: A folder that all hosts have.
        own: A folder that has this path on all hosts, and on each another content; it is in memory.
    """

    address: str
    process: int
    shared: Path
    own: Path

    def command(self, *arguments: object) -> list[str]:
        """The command that runs ``arguments`` on this host, from its own folder."""
        there = ("bash", "-c", 'cd "$0" && exec "$@"', str(self.own))
        return [*_entering(self.process), *there, *map(str, arguments)]

    def run(self, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The finished process of a command on this host, with ``stdout`` and ``stderr`` as text."""
        # Files, not pipes: what a command leaves running, such as Ray, would keep a pipe open.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                self.command(*arguments), env=self.environment(environment), stdout=out, stderr=err, check=False
            )
            said = [file.seek(0) or file.read() for file in (out, err)]
        return subprocess.CompletedProcess(done.args, done.returncode, *said)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of its programs: their home and their temporary files are in its own folder.

        What importing Ray has set for this process is left out.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {**kept, "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(self.own), "TMPDIR": str(self.own), **more}

    def write(self, name: str, text: str) -> Path:
        """Write a file into its own folder, where other hosts do not have it."""
        script = 'mkdir -p "$(dirname "$0")" && printf %s "$1" > "$0"'
        _checked(self.command("bash", "-c", script, self.own / name, text))
        return self.own / name

    def unplug(self) -> None:
        """Nothing reaches it any more, and it reaches nothing."""
        _checked(self.command("ip", "link", "set", "eth0", "down"))


def why_no_hosts() -> str | None:
    """Why there can be no hosts on this machine, or None."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"there is no {' and no '.join(missing)}"
    tried = subprocess.run(
        [*_new(), "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"namespaces are not allowed here: {' '.join(tried.stderr.split())}"


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts on one network for the block; they and all that runs on them end with it.

    Skips the test where namespaces are not allowed.
    """
    if reason := why_no_hosts():
        pytest.skip(f"hosts of namespaces: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="hosts", dir="/tmp"))  # a socket's path must be short
    shared, own = folder / "shared", folder / "own"
    shared.mkdir()
    own.mkdir()
    try:
        with ExitStack() as running:
            switch = running.enter_context(_first_process())
            _checked([*_entering(switch, "--net"), "ip", "link", "add", "switch", "up", "type", "bridge"])
            made = []
            for number in range(1, count + 1):
                host = Host(f"10.77.0.{number}", running.enter_context(_first_process(switch)), shared, own)
                _plug_in(host, switch, number)
                made.append(host)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plug_in(host: Host, switch: int, number: int) -> None:
    inside, network = _entering(host.process), _entering(switch, "--net")
    commands: Sequence[Sequence[object]] = (
        (*inside, "mount", "-t", "tmpfs", "none", host.own),
        (*inside, "hostname", f"host{number}"),
        (*network, "ip", "link", "add", f"to{number}", "type", "veth", "peer", "eth0", "netns", host.process),
        (*network, "ip", "link", "set", f"to{number}", "up", "master", "switch"),
        (*inside, "ip", "link", "set", "lo", "up"),
        (*inside, "ip", "address", "add", f"{host.address}/24", "dev", "eth0"),
        (*inside, "ip", "link", "set", "eth0", "up"),
        (*inside, "ip", "route", "add", "default", "dev", "eth0"),  # by it Ray finds the host's own address
    )
    for command in commands:
        _checked(command)


@contextmanager
def _first_process(beside: int | None = None) -> Iterator[int]:
    """The first process of new namespaces; with ``beside``, of the user namespace of that process."""
    starter = subprocess.Popen([*(_new() if beside is None else [*_entering(beside, "--net"), *NEW]), *STAYS])
    try:
        yield _first_child(starter)
    finally:
        starter.kill()
        starter.wait()


def _first_child(starter: "subprocess.Popen[bytes]") -> int:
    """The number of the process that ``unshare`` is the parent of, once it is in its namespaces."""
    deadline = time.monotonic() + STARTS_S
    while starter.poll() is None and time.monotonic() < deadline:
        for child in Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == STAYS[0]:
                return int(child)
        time.sleep(0.05)
    raise AssertionError("a host did not start")


def _new() -> tuple[str, ...]:
    """The command before one that runs in new namespaces, also for who is not root."""
    return NEW if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", *NEW[1:])


def _entering(process: int, *kinds: str) -> tuple[str, ...]:
    """The command before one that runs in those namespaces of ``process``, all of `KINDS` if none is named."""
    user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    return ("nsenter", f"--target={process}", *user, *(kinds or KINDS))


def _checked(command: Sequence[object]) -> None:
    done: Any = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stderr}"
