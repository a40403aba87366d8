"""Call a function in a process of its own, which is fresh, has torch imported, and can be ended."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import Any

from runners.runner import StageFailed

PRELOAD = ["numpy", "torch", "runners.training_loop", "runners.weights", "runners.measuring.pair"]
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


def prepare() -> None:
    """Let the server start and import while this process does something else; harmless where it runs."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    with _main_module_hidden():
        forkserver.ensure_running()


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
            StageFailed: It raised, died, or did not end within ``timeout_s``; the whole group is then ended.
        """
        try:
            if not wait([self._receiver], timeout_s):
                raise StageFailed(f"{what} did not end within {timeout_s:.0f} s and was ended")
            good, value = self._receiver.recv()
        except EOFError:
            self._process.join(5)
            raise StageFailed(f"{what} {_ending(self._process.exitcode)}") from None
        finally:
            self.end()
        if not good:
            raise StageFailed(f"{what}: {value}")
        return value

    def end(self) -> None:
        """End the process and all that it started; harmless when it is gone."""
        if self._process.is_alive():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid or 0, signal.SIGKILL)
            self._process.kill()
        self._process.join()


def call_fresh(function: Callable[..., Any], *arguments: Any, timeout_s: float, what: str) -> Any:
    """What ``function(*arguments)`` returns in a fresh process.

    Raises:
        StageFailed: It raised, died, or ran out of time; the message begins with ``what``.
    """
    return FreshProcess(function, *arguments).result(timeout_s, what)


def _child(
    sender: Connection, visible: dict[str, str | None], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.setsid()
    _see_only(visible)
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sender.send((True, function(*arguments)))
    except Exception as error:
        sender.send((False, f"{type(error).__name__}: {error}" if not isinstance(error, StageFailed) else str(error)))


def _see_only(visible: dict[str, str | None]) -> None:
    """Take over the caller's choice of accelerators, before anything asks for one."""
    for name, value in visible.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _die_with_parent() -> None:
    """Ask Linux to end this process when the server that forked it goes, as it does when its own parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended early with exit code {code}"


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
