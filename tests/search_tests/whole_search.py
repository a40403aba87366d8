"""One search of the front page's example with real Ray, training, timing and MLflow, which several tests read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guides import ROOT, example, words
from search_tests.command import RunningSearch, frontrunner
from search_tests.connections import Watch

TRIALS = 3
STUDY = f"workload: workload.py\nstudy: digits\ntrials: {TRIALS}\n"
"""It has the name that the guides use, and the default space."""
HOME = "frontrunner-home"
"""The default home, below the folder of the search."""
EXPORT = 'frontrunner export digits --to fast --pick fastest --within "accuracy_drop<=0.05"'
"""The command of the guides that exports a trial of it."""


@dataclass(frozen=True)
class Searched:
    """A finished search.

    Attributes:
        folder: Where it ran; it has ``workload.py`` and ``study.yaml``.
        home: Its home, the default one in that folder.
        document: The front, from its stdout.
        stderr: What it said.
        pid: The number of its process.
        watch: The connections that were made meanwhile.
    """

    folder: Path
    home: Path
    document: dict[str, Any]
    stderr: str
    pid: int
    watch: Watch


def search_once(folder: Path) -> Searched:
    """Search in the empty ``folder``."""
    (folder / "workload.py").write_text(example(ROOT / "README.md", "workload.py"), encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY)
    watch = Watch(folder)
    search = RunningSearch(("search", "study.yaml", "--json"), folder, watch.environment)
    try:
        with watch.sampling(search):
            assert search.process.wait(480) == 0, search.said
    finally:
        search.end()
    return Searched(folder, folder / HOME, json.loads(search.printed), search.said, search.process.pid, watch)


def export_once(searched: Searched) -> Path:
    """The exported folder of a trial of the search."""
    (_, *arguments), _ = words(EXPORT)
    done = frontrunner(*arguments, cwd=searched.folder)
    assert done.returncode == 0, done.stderr
    return searched.folder / "fast"
