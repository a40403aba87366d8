"""A program that ends with whoever started it, with all that it started itself.

Run as ``python guarded_server.py COMMAND...`` it starts the command in a process group of its own, and ends the group
when its standard input ends: whoever holds the other end has closed it, or was killed. Linux's own signal for that
reaches a child alone, and a server has children.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

_TERM_S = 8.0


def start(command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start ``command`` so that it ends with this process; close its ``stdin`` to end it."""
    guard = [sys.executable, "-S", "-E", __file__, *command]
    return subprocess.Popen(guard, env=dict(environment), stdin=subprocess.PIPE, stdout=output, stderr=output)


def main(command: Sequence[str]) -> int:
    """Run ``command`` until it ends, or standard input does; its exit status."""
    for ignored in (signal.SIGINT, signal.SIGHUP):  # the one who started it says when it ends
        signal.signal(ignored, signal.SIG_IGN)
    group = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(group,), daemon=True).start()
    return group.wait()


def _end_with_input(group: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        sys.stdin.buffer.read()
    with suppress(ProcessLookupError):
        os.killpg(group.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            group.wait(_TERM_S)
        os.killpg(group.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
