"""A search whose driver is killed, and what has to hold afterwards."""

import random
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from search_tests.command import COMMAND, SIMULATED, RunningSearch, document, eventually, frontrunner

from search.request.locations import Home
from search.study.attributes import MEASUREMENT

KILLED_COMMAND = Path(__file__).with_name("killed_command.py")
COMMANDS: dict[str, Sequence[object]] = {"simulated": SIMULATED, "real": (COMMAND,)}
TRIALS = 3
STUDY = f"""\
study: small
trials: {TRIALS}
space:
  student_width: [1.0, 0.5]
  runtime: [eager, onnxruntime]
"""
GONE_S = 60.0
"""Within so long every process of a dead driver has to be gone: ten seconds, on a machine with nothing else to do."""
LONGEST_S = 1800.0


@dataclass
class KilledSearch:
    """A search of a small study in an empty folder.

    Attributes:
        folder: Where it runs.
        how: ``real``, or ``simulated`` with a table in place of Ray, training and timing.
        workload: What is searched.
        point: Where it kills itself, as `killed_command.py` takes it; empty where it does not.
        call: At which call of that function.
    """

    folder: Path
    how: str
    workload: str = "synthetic"
    point: str = ""
    call: int = 0

    def __post_init__(self) -> None:
        (self.folder / "small.yaml").write_text(f"workload: {self.workload}\n{STUDY}")
        dying = (sys.executable, KILLED_COMMAND, self.point, self.call, self.how)
        arguments = ("search", "small.yaml", "--home", "home")
        self.running = RunningSearch(arguments, self.folder, command=dying if self.point else COMMANDS[self.how])

    def dies(self) -> None:
        """Wait until it has killed itself."""
        assert self.running.process.wait(LONGEST_S) == -signal.SIGKILL, self.running.said

    def is_killed(self, moments: random.Random, lines: int) -> str:
        """Kill it up to a second after one of the first ``lines`` on its stderr; where that was, in words."""
        line, delay_s = moments.randrange(lines), moments.uniform(0, 1)
        process = self.running.process
        eventually(lambda: process.poll() is not None or self.running.said.count("\n") >= line, LONGEST_S)
        time.sleep(delay_s)
        had_ended = process.poll() is not None
        process.kill()
        process.wait()
        phase = (self.running.said.strip().splitlines() or ["it imports"])[-1][:50]
        return (
            "it had ended" if had_ended else f"{delay_s:.1f} s after [{phase}], {len(self.finished())} trials had ended"
        )

    def goes_on(self) -> dict[str, Any]:
        """The front, after a search that loses nothing, counts nothing twice and leaves nothing running.

        Its processes are gone first; what was finished stays as it was.
        """
        began = time.monotonic()
        assert eventually(lambda: not self.running.living(), GONE_S), self.running.living()
        self.gone_after_s = time.monotonic() - began
        before = self.finished()
        done = self._command("resume", "small")
        if done.returncode == 2:  # killed before the study was made to its end
            assert before == {}
            assert "frontrunner search" in done.stderr or "no search has run there" in done.stderr, done.stderr
            done = self._command("search", "small.yaml")
        while "does not have all records yet" in done.stderr:  # a busy machine makes its database for long
            done = self._command("resume", "small")
        front: dict[str, Any] = document(done)
        assert front["trials"] == TRIALS
        after = self.finished()
        assert sorted(after) == [*range(TRIALS)]
        assert {number: after[number] for number in before} == before, "none is lost or measured again"
        runs = self.runs()
        assert len(runs) == TRIALS + 1, runs
        assert {status for _, status in runs} == {"FINISHED"}, runs
        return front

    def _command(self, *arguments: str) -> Any:
        command = COMMANDS[self.how]
        return frontrunner(
            *arguments, "--home", "home", "--json", cwd=self.folder, command=command, timeout_s=LONGEST_S
        )

    def finished(self) -> dict[int, Any]:
        """What the database has of the trials that ended, by number."""
        storage = Home(self.folder / "home").storage
        if not (self.folder / "home" / "studies.db").exists() or not optuna.get_all_study_names(storage):
            return {}
        trials = optuna.load_study(study_name="small", storage=storage).get_trials()
        return {t.number: (t.state, t.user_attrs.get(MEASUREMENT)) for t in trials if t.state.is_finished()}

    def runs(self) -> list[tuple[str, str]]:
        """The names and states of the runs that MLflow has."""
        with closing(sqlite3.connect(self.folder / "home" / "mlflow.db")) as database:
            return database.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
