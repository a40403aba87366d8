"""The server from which fresh processes are forked: it has imported torch already."""

import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

from runners.processes.temporary_folder import folder_for_sockets

PRELOAD = (
    "numpy",
    "torch",
    "torch._dynamo",
    "scipy.special",
    "onnxruntime",
    "runners.training.loop",
    "runners.lowering.weights",
    "runners.measuring.pair",
)
"""What the server imports: a process that is forked from it then starts in tens of milliseconds. An optimiser
would import ``torch._dynamo`` there, which takes 2 s. What is not installed is passed over."""

SOCKET = "pymp-12345678/listener-12345678"
"""What `multiprocessing` calls the socket of the server, relative to the folder of temporary files."""


def start_server(libraries: Sequence[str] = ()) -> None:
    """Start the server and let it import while this process does something else; nothing to do where it runs.

    Args:
        libraries: What it imports beside `PRELOAD`: libraries that every process would import by itself otherwise.

    Raises:
        RequestError: There is no folder for its socket.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOAD, *libraries])
    with main_module_hidden(), _interrupts_blocked(), _temporary_files_in(folder_for_sockets(SOCKET)):
        forkserver.ensure_running()


@contextmanager
def main_module_hidden() -> Iterator[None]:
    """Keep a fresh process from importing its caller's main program again, which takes up to a second."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT here, and for ever in what is started here: Ctrl-C is sent to all processes of the terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let `tempfile` of this process make its files in ``folder``."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
