"""Two searches that begin at once on one new home, each with a study of its own: both finish, and MLflow has both."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from search_tests.command import COMMAND, SIMULATED, RunningSearch, document, frontrunner

pytestmark = [pytest.mark.slow, pytest.mark.faults("two drivers")]

STUDY = "trials: 3\nspace:\n  student_width: [1.0, 0.5]\n  runtime: [eager, onnxruntime]\n"
NAMES = ("one", "other")
LONGEST_S = 1800.0


@pytest.mark.parametrize("command", [SIMULATED, (COMMAND,)], ids=["simulated", "real"])
def test_two_searches_on_one_home_both_finish(
    command: Sequence[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    (tmp_path / "study.yaml").write_text(STUDY)
    asked = ("search", "study.yaml", "--workload", "synthetic", "--home", "home", "--json", "--study")
    searches = [RunningSearch((*asked, name), tmp_path, command=command) for name in NAMES]
    try:
        for search in searches:
            assert search.process.wait(LONGEST_S) == 0, search.said
            assert "Traceback" not in search.said
    finally:
        for search in searches:
            search.end()
    fronts = [json.loads(search.printed) for search in searches]
    assert [(front["study"], front["trials"], front["status"]) for front in fronts] == [
        (name, 3, "finished") for name in NAMES
    ]
    known = document(frontrunner("studies", "--home", "home", "--json", cwd=tmp_path))["studies"]
    assert {study["study"]: study["status"] for study in known} == dict.fromkeys(NAMES, "finished")
    with closing(sqlite3.connect(tmp_path / "home" / "mlflow.db")) as database:
        (experiments,) = database.execute("SELECT count(*) FROM experiments WHERE name != 'Default'").fetchone()
        runs = database.execute("SELECT status FROM runs").fetchall()
    assert experiments == 1
    assert runs == [("FINISHED",)] * 8, "each search has a run of its own, and one for each trial"
