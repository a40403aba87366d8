"""The program that cleans up after another process, however that one ends, as `runners.processes.process_cleanup` says.

It reads from a pipe whose other end only that process holds, so that reading ends when the process does. Then it ends
every process that has the mark in its environment, and removes the folder.

    python cleanup_program.py MARK FOLDER < PIPE
"""

import os
import shutil
import sys
import time
from contextlib import suppress

LONGEST_S = 10.0
"""How long processes that are killed, and files that they still write, are waited for."""


def end_marked(mark: str) -> bool:
    """Kill every process with ``mark``, which is ``NAME=VALUE``, in its environment; whether there was one."""
    import psutil

    name, _, value = mark.partition("=")
    found = False
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it ended by itself, or is somebody else's
            if process.pid != os.getpid() and process.environ().get(name) == value:
                found = process.status() != psutil.STATUS_ZOMBIE or found
                process.kill()
    return found


def clean_up(mark: str, folder: str) -> None:
    """End the processes and remove the folder, as far as that can be done in `LONGEST_S`."""
    deadline = time.monotonic() + LONGEST_S
    while end_marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    while os.path.lexists(folder) and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def main() -> None:
    """Wait for the end of the pipe as a process that belongs to nobody, and clean up."""
    if os.fork():
        os._exit(0)
    os.chdir("/")
    while os.read(0, 1):
        pass
    clean_up(*sys.argv[1:])


if __name__ == "__main__":
    main()
