"""A program that may compute for so long, however long it waits for a processor: others may use all of them."""

import resource
import subprocess
from typing import Any

CPU_S = 120
"""Seconds of a processor that the program may use."""
WALL_S = 20 * CPU_S
"""Seconds after which one that waits for what never comes is given up: a twentieth of a processor is none."""


def start(command: list[Any], **options: Any) -> "subprocess.Popen[str]":
    """``command`` at work, its outputs as text in pipes; it is ended by a signal once it has computed for `CPU_S`."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 10))  # SIGXCPU, then SIGKILL

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, preexec_fn=limit, **pipes, **options)


def finish(process: "subprocess.Popen[str]") -> str:
    """What ``process`` printed, once it has ended well."""
    try:
        printed, errors = process.communicate(timeout=WALL_S)
    finally:
        process.kill()
    assert process.returncode == 0, f"it ended with {process.returncode}: {errors}"
    return printed
