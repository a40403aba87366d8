"""The command with the table in place of Ray, for tests of what it says and how it ends; run as a program."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from search_tests.simulation import make_runner

from runners.executors import ray
from search.cli import main

if __name__ == "__main__":
    ray.RayRunner = lambda *_: make_runner()  # type: ignore[assignment, misc]
    main()
