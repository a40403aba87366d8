"""Runs the installed command as a person does: in its own process and its own folder."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

COMMAND = Path(sys.executable).parent / "frontrunner"
SIMULATED = (sys.executable, Path(__file__).with_name("simulated_command.py"))
"""The command with a table in place of Ray, training and timing."""
MARK = "TEST_COMMAND_MARK"
"""An environment variable that each process of a search inherits, even after its parent has ended."""
SMALL_STUDY = """\
workload: synthetic
study: small
trials: 3
space:
  student_width: [1.0, 0.5]
  runtime: [eager, onnxruntime]
"""
"""A study file of three trials, whose trainings take a moment."""


def frontrunner(
    *arguments: object, cwd: Path, timeout_s: float = 240, command: Sequence[object] = (COMMAND,), **environment: str
) -> Any:
    """The finished process, with ``stdout`` and ``stderr`` as text."""
    return subprocess.run(
        [*map(str, command), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def document(done: Any) -> Any:
    """The one JSON document on the stdout of a process that succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class RunningSearch:
    """A running search in its own session, whose stdout and stderr go to files."""

    arguments: tuple[object, ...]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[object] = (COMMAND,)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self._log, self._output = (self.cwd / f"{self.mark}.{suffix}" for suffix in ("log", "out"))
        with self._log.open("wb") as log, self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*map(str, self.command), *map(str, self.arguments)],
                cwd=self.cwd,
                env={**os.environ, **self.environment, MARK: self.mark},
                stdout=output,
                stderr=log,
                start_new_session=True,
                preexec_fn=_default_signals,
            )

    @property
    def said(self) -> str:
        """Its stderr so far."""
        return self._log.read_text()

    @property
    def printed(self) -> str:
        """Its stdout so far."""
        return self._output.read_text()

    def wait_until_said(self, words: str, timeout_s: float = 120) -> None:
        """Return when ``words`` are on its stderr."""
        assert eventually(lambda: words in self.said or self.process.poll() is not None, timeout_s), self.said
        assert words in self.said, self.said

    def living(self) -> list[psutil.Process]:
        """The living processes of the search: itself and each that it started, directly or not."""
        return [process for process in psutil.process_iter() if _marked(process, self.mark)]

    def end(self) -> None:
        """Kill all its processes; only for cleaning up."""
        for process in self.living():
            process.kill()
        self.process.wait()


def _default_signals() -> None:
    """A shell lets what it runs in the background ignore SIGINT, and ``nohup`` lets it ignore SIGHUP."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def eventually(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``holds`` returns true within ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
