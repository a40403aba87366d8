"""What an inference runtime says when it is imported, in a process of its own, as an import may fail, crash or hang."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from runners.backend import Backend

TIMEOUT_S = 60.0
"""An import that takes longer is ended."""
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import importlib, json, os, sys
output = os.dup(1)
os.dup2(2, 1)  # what a library prints must not mix with the answer
importlib.import_module("runners.machine.telemetry").disable_telemetry()
found = importlib.import_module(sys.argv[1]).BACKEND.examine()
os.write(output, json.dumps({name: list(values) for name, values in found.items()}).encode())
"""


class Examination:
    """One `Backend.examine` in a process that is begun at once.

    Args:
        module: The dotted name of the backend's file.
        package: The package that a message names.
    """

    def __init__(self, module: str, package: str) -> None:
        self._package = package
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, module],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # an interrupt is for the caller
        )

    def result(self) -> dict[str, tuple[Any, ...]] | str:
        """What it returned, or why the runtime cannot be used though it is installed."""
        return self._result

    @cached_property
    def _result(self) -> dict[str, tuple[Any, ...]] | str:
        try:
            answer, said = self._process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return f"{self._package} is installed, and its import did not end in {TIMEOUT_S:.0f} s"
        code = self._process.returncode
        if code == 0:
            return {name: tuple(values) for name, values in json.loads(answer).items()}
        lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        why = signal.Signals(-code).name if code < 0 else lines[-1].strip()
        return f"{self._package} is installed, and its import fails ({why}); install it again"


def examinations(backends: Mapping[str, Backend]) -> dict[str, Examination]:
    """The examinations of those of ``backends`` that are not off for another reason, by name; each is done once.

    PyTorch is left out: this process imports it.
    """
    return {
        name: _examination(type(backend).__module__, backend.packages[0])
        for name, backend in backends.items()
        if backend.packages[0] != "torch" and backend.unsupported() is None
    }


@cache
def _examination(module: str, package: str) -> Examination:
    return Examination(module, package)
