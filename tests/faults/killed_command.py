"""The command, killed by SIGKILL when it calls one function for the n-th time; run as a program.

``killed_command.py MODULE:NAME:before|after N simulated|real search ...``; N counts from 0, and ``simulated`` has the
table in place of Ray. The process kills itself, so that nothing happens between the call and its death.
"""

import importlib
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS))


def kill_at(point: str, number: int) -> None:
    """Let this process die before or after it calls the function of ``point`` for the time ``number``."""
    module, name, when = point.split(":")
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    call, calls = getattr(owner, last), iter(range(10**9))

    def killing(*given: Any, **named: Any) -> Any:
        is_last = next(calls) == number
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*given, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, last, killing)


if __name__ == "__main__":
    point, number, how = (sys.argv.pop(1) for _ in range(3))
    kill_at(point, int(number))
    if how == "simulated":
        runpy.run_path(str(TESTS / "search_tests" / "simulated_command.py"), run_name="__main__")
    else:
        from search.__main__ import main

        main()
