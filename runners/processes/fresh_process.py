"""What a function returns in a fresh process, which has torch imported already and is ended where it hangs.

A server process imports torch once, and every fresh process is forked from it (Python's ``forkserver``).
"""

import multiprocessing
import os
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from runners.processes.parent_death import die_with_parent_process
from runners.processes.temporary_folder import folder_for_sockets
from runners.runner import FailureKind, StageFailed

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

VISIBLE_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "ONEAPI_DEVICE_SELECTOR",
    "ASCEND_RT_VISIBLE_DEVICES",
    "HABANA_VISIBLE_MODULES",
)
"""Environment variables that say which accelerators a process may use. The server keeps those that it was started with,
while Ray sets them anew for every task, so each fresh process is given its caller's."""

HANG_TIMEOUT_S = 300.0
"""How long a process may go without `report_progress` before it is taken to hang. Loading data, compiling a model and
making a few calls take less."""

PROGRESS_EVERY_S = 1.0
"""How often progress is reported at most: a pipe that nobody reads fills up."""

DYING_S = 0.5
"""How long it takes at most until a process that was killed is seen to be gone."""

_tell_progress: Callable[[], None] | None = None
"""What `report_progress` calls: in a fresh process it tells the caller."""


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
    with _main_module_hidden(), _interrupts_blocked(), _temporary_files_in(folder_for_sockets(SOCKET)):
        forkserver.ensure_running()


def report_progress() -> None:
    """Start the time limit of this process anew, where it has one."""
    if _tell_progress is not None:
        _tell_progress()


def tell_progress_to(listener: Callable[[], None] | None) -> None:
    """Let `report_progress` call ``listener``, or nothing."""
    global _tell_progress
    _tell_progress = listener


class FreshProcess:
    """A call in a fresh process, begun at once; the process leads a process group of its own.

    Args:
        function: What to call; it, its arguments and its result are pickled.
        *arguments: Its arguments.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        start_server()
        context = multiprocessing.get_context("forkserver")
        self._receiver, sender = context.Pipe(duplex=False)
        self.answered = False
        visible = {name: os.environ.get(name) for name in VISIBLE_DEVICES}
        self._process = context.Process(target=_run_and_send, args=(sender, visible, function, arguments), daemon=False)
        with _main_module_hidden():
            self._process.start()
        sender.close()

    def result(self, timeout_s: float, what: str) -> Any:
        """What the function returned.

        Raises:
            StageFailed: It raised, died, or neither ended nor reported progress for ``timeout_s``. Whatever it
                started is ended with it.
        """
        return all_results({what: self}, timeout_s)[0]

    @property
    def handles(self) -> tuple[Any, Any]:
        """What `multiprocessing.connection.wait` waits for: a message, and the end."""
        return self._receiver, self._process.sentinel

    def receive(self, what: str) -> tuple[Any] | None:
        """What the function returned, in a tuple; None where the process reported progress.

        Raises:
            StageFailed: It raised, or the process is gone, whoever holds its pipe.
        """
        try:
            message = self._receiver.recv() if self._receiver.poll() else None
            if message is None and not self._process.is_alive() and not self._receiver.poll():
                raise EOFError
        except EOFError:
            self._process.join(5)
            raise StageFailed(f"{what} {_ending(self._process.exitcode)}", "process") from None
        if message is None:
            return None
        self.answered = True
        failure_kind, value = message
        if failure_kind is not None:
            raise StageFailed(f"{what}: {value}", failure_kind)
        return (value,)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process is gone, or will be in that time."""
        self._process.join(seconds)
        return not self._process.is_alive()

    def end(self) -> None:
        """End the process and all that it started; nothing to do where they are gone."""
        assert self._process.pid is not None, "it was started, and 0 would be the caller's own group"
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def all_results(processes: Mapping[str, FreshProcess], timeout_s: float) -> list[Any]:
    """What the functions of ``processes`` returned; all are read at once, since a pipe that nobody reads fills up.

    Their progress is that of the caller, where it is itself a fresh process.

    Args:
        processes: The processes by what a message calls them.
        timeout_s: How long all that still run may do nothing.

    Raises:
        StageFailed: One raised or died, or they did nothing for ``timeout_s``; all are ended then. Where one died and
            another raised because it waited for its message, the first is told of.
    """
    waiting, found = dict(processes), {}
    try:
        while waiting:
            ready = wait([handle for process in waiting.values() for handle in process.handles], timeout_s)
            if not ready:
                were = "was" if len(waiting) == 1 else "were"
                raise StageFailed(f"{' and '.join(waiting)} did nothing for {timeout_s:.0f} s and {were} ended")
            report_progress()
            for what, process in [*waiting.items()]:
                if not set(ready).isdisjoint(process.handles) and (result := process.receive(what)):
                    found[what] = result[0]
                    del waiting[what]
    except StageFailed as error:
        raise _died(waiting) or error from None
    finally:
        for process in processes.values():
            process.end()
    return [found[what] for what in processes]


def _died(processes: Mapping[str, FreshProcess]) -> StageFailed | None:
    """The failure of the first of ``processes`` that is gone without an answer, for which others may have failed."""
    for what, process in processes.items():
        if not process.answered and process.ends_within(DYING_S):
            try:
                process.receive(what)
            except StageFailed as error:
                if error.kind == "process":
                    return error
    return None


def call_fresh(function: Callable[..., Any], *arguments: Any, what: str, timeout_s: float = HANG_TIMEOUT_S) -> Any:
    """What ``function(*arguments)`` returns in a fresh process.

    Raises:
        StageFailed: It raised, died, or did nothing for ``timeout_s``; the message begins with ``what``.
    """
    return FreshProcess(function, *arguments).result(timeout_s, what)


def _run_and_send(
    sender: Connection, visible: dict[str, str | None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()
    os.dup2(2, 1)  # what a model prints must not mix with what a command prints
    _set_visible_devices(visible)
    die_with_parent_process()
    _end_with_caller(sender)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _report_progress_to(sender)
    answer: tuple[FailureKind | None, Any]
    try:
        answer = None, function(*arguments)
    except StageFailed as error:
        answer = error.kind, str(error)
    except Exception as error:
        answer = "candidate", f"{type(error).__name__}: {error}"
    with suppress(BrokenPipeError):  # nobody waits for it any more
        sender.send(answer)


def _report_progress_to(sender: Connection) -> None:
    """Let `report_progress` send a message, not more often than every `PROGRESS_EVERY_S`."""
    last = time.monotonic()

    def send() -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_EVERY_S:
            last = time.monotonic()
            sender.send(None)

    tell_progress_to(send)


def _set_visible_devices(visible: dict[str, str | None]) -> None:
    """Use the accelerators that the caller may use; called before anything asks for one."""
    for name, value in visible.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _end_with_caller(sender: Connection) -> None:
    """End this process and all that it started when the caller has closed its end of the pipe, as when it is killed.

    The server does not end then: it watches a pipe that its living children hold open.
    """
    pipe = select.poll()
    pipe.register(sender.fileno(), 0)  # a closed end is reported whatever is asked for

    def watch() -> None:
        pipe.poll()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended early with exit code {code}"


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


@contextmanager
def _main_module_hidden() -> Iterator[None]:
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
