"""A temporary folder, and processes, that go when this process does, however that ends."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runners.processes.owned_folder import owned_folder
from runners.processes.variables import variables_set

MARK = "FRONTRUNNER_CLEANED_UP_WITH"
"""The variable that marks the processes that go with this one."""
KEEP_ENVIRONMENT = {"SPT_NOENV": "1"}
"""Lets setproctitle, which Ray's processes use, write their titles beside the environment and not over it."""

_pipes: set[int] = set()


class ProcessCleanup:
    """A private temporary folder, and the processes that are started inside of `marked`.

    Both go with `close`, or when this process ends, also where it is killed: another process waits for that. Where that
    one was killed too, as when the machine stops, the next `ProcessCleanup` in the same place removes the folder.

    Args:
        parent: Where the folder is made.
        prefix: How its name begins.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        self._stack = ExitStack()
        self.folder = self._stack.enter_context(owned_folder(parent, prefix))
        self._mark = uuid.uuid4().hex
        self._pipe = _start_program(f"{MARK}={self._mark}", self.folder)

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Mark the processes that are started inside the block, and all that those start."""
        with variables_set({MARK: self._mark, **KEEP_ENVIRONMENT}):
            yield

    def close(self) -> None:
        """Remove the folder, and let the processes that are left be ended; may be called twice."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._stack.close()
        if self._pipe in _pipes:
            _pipes.remove(self._pipe)
            os.close(self._pipe)


def _start_program(mark: str, folder: Path) -> int:
    """Start the program that waits; the end of the pipe that has to be closed for it to begin."""
    reader, writer = os.pipe()
    try:
        subprocess.run(  # it goes on in a process that is no child of this one
            [sys.executable, "-P", str(Path(__file__).with_name("cleanup_program.py")), mark, str(folder)],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends this process does not end that one
            check=False,
        )
    finally:
        os.close(reader)
    _pipes.add(writer)
    return writer


def _let_go_in_child() -> None:
    """Close the copies of a process that was forked: the end of its parent alone must count."""
    for pipe in _pipes:
        os.close(pipe)
    _pipes.clear()


os.register_at_fork(after_in_child=_let_go_in_child)
