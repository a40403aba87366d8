"""Call a function in a process of its own, which is fresh, has torch imported, and can be ended."""

import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

from runners.processes.parent_death import die_with_parent
from runners.runner import StageFailed

PRELOAD = ["numpy", "torch", "runners.training.loop", "runners.lowering.weights", "runners.measuring.pair"]
"""Imported once by the server that children are forked from: a fresh child then costs tens of milliseconds."""

VISIBLE_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "ONEAPI_DEVICE_SELECTOR",
    "ASCEND_RT_VISIBLE_DEVICES",
    "HABANA_VISIBLE_MODULES",
)
"""Which accelerators a process may use. The server keeps the environment that it was started with, while Ray sets
these anew for every task: a child must be told."""

SILENT_S = 300.0
"""How long a process may do nothing before it counts as hanging: load data, compile a model, or make a few calls."""

ALIVE_EVERY_S = 1.0
_alive: Callable[[], None] | None = None
"""In a fresh process: tells its caller that it gets on."""


def prepare() -> None:
    """Let the server start and import while this process does something else; harmless where it runs."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    with _main_module_hidden(), _interrupts_held_back():
        forkserver.ensure_running()


def still_working() -> None:
    """Let the time limit of this process begin anew, where it is a fresh one: it got on with what it does."""
    if _alive is not None:
        _alive()


class FreshProcess:
    """One call under way in a process group of its own.

    The function and its arguments must be picklable; they and the result stay on this machine.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        prepare()
        context = multiprocessing.get_context("forkserver")
        self._receiver, sender = context.Pipe(duplex=False)
        visible = {name: os.environ.get(name) for name in VISIBLE_DEVICES}
        self._process = context.Process(target=_child, args=(sender, visible, function, arguments), daemon=False)
        with _main_module_hidden():
            self._process.start()
        sender.close()

    def result(self, timeout_s: float, what: str) -> Any:
        """What the function returned.

        Raises:
            StageFailed: It raised, died, or neither ended nor was `still_working` for ``timeout_s``. Whatever it
                started is ended with it.
        """
        try:
            while (message := self._receive(timeout_s, what)) is None:
                pass
        except EOFError:
            self._process.join(5)
            raise StageFailed(f"{what} {_ending(self._process.exitcode)}") from None
        finally:
            self.end()
        good, value = message
        if not good:
            raise StageFailed(f"{what}: {value}")
        return value

    def _receive(self, timeout_s: float, what: str) -> tuple[bool, Any] | None:
        """The next message, None for a sign of life; `EOFError` where the process is gone, whoever holds the pipe."""
        if not wait([self._receiver, self._process.sentinel], timeout_s):
            raise StageFailed(f"{what} did nothing for {timeout_s:.0f} s and was ended")
        if not self._receiver.poll():
            raise EOFError
        message: tuple[bool, Any] | None = self._receiver.recv()
        return message

    def end(self) -> None:
        """End the process and all that it started; harmless when they are gone."""
        assert self._process.pid is not None, "it was started, and 0 would be the caller's own group"
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def call_fresh(function: Callable[..., Any], *arguments: Any, what: str, timeout_s: float = SILENT_S) -> Any:
    """What ``function(*arguments)`` returns in a fresh process.

    Raises:
        StageFailed: It raised, died, or did nothing for ``timeout_s``; the message begins with ``what``.
    """
    return FreshProcess(function, *arguments).result(timeout_s, what)


def _child(
    sender: Connection, visible: dict[str, str | None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()
    os.dup2(2, 1)  # what a model prints must not mix with what a command prints
    _see_only(visible)
    die_with_parent()
    _end_with_caller(sender)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_signs_of_life(sender)
    try:
        answer = True, function(*arguments)
    except Exception as error:
        answer = False, f"{type(error).__name__}: {error}" if not isinstance(error, StageFailed) else str(error)
    with suppress(BrokenPipeError):  # nobody waits for it any more
        sender.send(answer)


def _give_signs_of_life(sender: Connection) -> None:
    """Let `still_working` send one, not more often than every `ALIVE_EVERY_S`: a pipe that nobody reads fills up."""
    global _alive
    last = time.monotonic()

    def tell() -> None:
        nonlocal last
        if time.monotonic() - last >= ALIVE_EVERY_S:
            last = time.monotonic()
            sender.send(None)

    _alive = tell


def _see_only(visible: dict[str, str | None]) -> None:
    """Take over the caller's choice of accelerators, before anything asks for one."""
    for name, value in visible.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _end_with_caller(sender: Connection) -> None:
    """End this process and all that it started when nobody can hear it any more: its caller was killed, say.

    The server does not end then as long as a child of its lives, which holds the pipe that the server watches.
    """
    pipe = select.poll()
    pipe.register(sender.fileno(), 0)  # that the other end is closed is reported without being asked for

    def watch() -> None:
        pipe.poll()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended early with exit code {code}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C goes to the whole foreground: what is started here is never to hear of it, and this process later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep the child from importing the parent's main program again, which costs it up to a second."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file
