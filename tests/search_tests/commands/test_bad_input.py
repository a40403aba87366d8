"""Wrong requests: one sentence that helps, the documented exit code, and no incomplete files."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from search_tests.command import COMMAND, SIMULATED, document, frontrunner

NOTHING_LISTENS = "127.0.0.1:1"
LONG = "a" * 300
NO_RAY = {"RAY_ADDRESS": "nowhere.invalid:1"}
"""Ray would try this address if a command started it, and fail with another message."""

WRONG = {
    "unknown workload": (["search", "--workload", "synthetik"], ["--workload", "synthetik", "synthetic"]),
    "missing workload file": (["search", "--workload", "mine.py"], ["--workload", "mine.py"]),
    "unknown preset": (["search", "--workload", "synthetic", "--space", "gpuu"], ["--space", "gpuu", "cpu"]),
    "unknown technique": (["search", "technique.yaml"], ["technique.yaml:3", "numeric_precison", "numeric_precision"]),
    "unknown choice": (["search", "choice.yaml"], ["choice.yaml:3", "int7", "int8"]),
    "unknown setting": (["search", "setting.yaml"], ["setting.yaml:2", "trails", "trials"]),
    "missing study file": (["search", "absent.yaml"], ["absent.yaml"]),
    "unknown objective": (["search", "--objective", "speedo"], ["--objective", "speedo", "speedup"]),
    "unknown quantity in a bound": (["search", "--constraint", "latency<=5"], ["--constraint", "latency_p90_ms"]),
    "no trials": (["search", "--trials", "0"], ["--trials", "1 or more"]),
    "wrong number of trials": (["search", "--trials", "many"], ["--trials", "integer"]),
    "impossible port": (["ui", "--port", "70000"], ["--port", "65535"]),
    "unknown flag": (["search", "--trails", "5"], ["--trails"]),
    "unknown command": (["serach"], ["serach"]),
    "wrong time": (["search", "--timeout", "soon"], ["--timeout", "soon", "30m"]),
    "home behind a file": (["search", "--workload", "synthetic", "--home", "file/home"], ["--home", "file/home"]),
    "storage without a server": (
        ["search", "--workload", "synthetic", "--storage", "postgresql+psycopg://me@127.0.0.1:1/studies"],
        ["--storage", "postgresql+psycopg://me@127.0.0.1:1/studies"],
    ),
    "tracking without a server": (
        ["search", "--workload", "synthetic", "--tracking-uri", "http://127.0.0.1:1"],
        ["http://127.0.0.1:1", "--tracking-uri"],
    ),
    "stage store behind a file": (
        ["search", "--workload", "synthetic", "--stage-store", "file/stages"],
        ["--stage-store", "file/stages", "cannot be written"],
    ),
    "unknown kind of stage store": (
        ["search", "--workload", "synthetic", "--stage-store", "nope://bucket"],
        ["--stage-store nope://bucket", "nope"],
    ),
    "resume without a home": (["resume", "digits"], ["--home", "no search has run there"]),
    "front without a home": (["front", "digits"], ["--home", "no search has run there"]),
    "export without a home": (["export", "digits", "--to", "out"], ["--home", "no search has run there"]),
    "home of a name too long": (["front", "digits", "--home", LONG], ["--home", "File name too long"]),
    "export to a name too long": (["export", "digits", "--to", LONG], ["--to", "File name too long"]),
    "init in a name too long": (["init", LONG], ["too long"]),
    "verify a name too long": (["verify", LONG], ["File name too long"]),
    "study named as a folder": (["search", "--workload", "synthetic", "--study", ".."], ["--study ..", "the first"]),
    "verify what is no export": (["verify", "file"], ["file"]),
    "verify a damaged export": (
        ["verify", "damaged"],
        ["damaged/frontrunner.json is damaged (", "bytes", "export again"],
    ),
}

FILES = {
    "file": "",
    "technique.yaml": "workload: synthetic\nspace:\n  numeric_precison: [fp32]\n",
    "choice.yaml": "workload: synthetic\nspace:\n  numeric_precision: [fp32, int7]\n",
    "setting.yaml": "workload: synthetic\ntrails: 3\n",
    "damaged/frontrunner.json": '{"schema_version": 1, "runtime": {"name": "onnxruntime", "threads": 1}, '
    '"input": {"shape": ["batch", 1]}, "files": {"model.onnx": {"sha256": "0", "bytes": Infinity}}}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def refused(done: Any, words: list[str], code: int = 2) -> None:
    """Raise AssertionError unless it ended with ``code`` and one line on stderr that holds ``words``."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("frontrunner: ")
    assert [word for word in words if word not in lines[0]] == [], lines[0]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_gets_one_sentence_before_ray_starts(case: str, folder: Path) -> None:
    arguments, words = WRONG[case]
    refused(frontrunner(*arguments, cwd=folder, timeout_s=30, **NO_RAY), words)
    assert not any(path.suffix == ".db" for path in folder.rglob("*"))
    assert not (folder / "out").exists()


def test_a_current_folder_that_was_removed_is_said(tmp_path: Path) -> None:
    script = 'mkdir gone && cd gone && rmdir "$PWD" && exec "$0" studies'
    done = subprocess.run(["sh", "-c", script, COMMAND], cwd=tmp_path, capture_output=True, text=True, check=False)
    refused(done, ["the current folder was removed", "change into one that exists"])


def test_a_cluster_that_is_not_there_is_named_and_no_study_is_left(folder: Path) -> None:
    done = frontrunner("search", "--workload", "synthetic", "--address", NOTHING_LISTENS, cwd=folder, timeout_s=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--address" in done.stderr.splitlines()[-1]
    assert NOTHING_LISTENS in done.stderr.splitlines()[-1]
    assert document(frontrunner("studies", "--json", cwd=folder))["studies"] == []


def test_a_database_without_its_driver_gets_the_command_that_installs_it(folder: Path) -> None:
    (folder / "without").mkdir()
    (folder / "without" / "psycopg.py").write_text("raise ImportError('no driver')")
    arguments, _ = WRONG["storage without a server"]
    done = frontrunner(*arguments, cwd=folder, PYTHONPATH=str(folder / "without"), **NO_RAY)
    refused(done, ["pip install 'frontrunner[postgres]'"])


@pytest.fixture(scope="module")
def impossible(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("impossible")
    text = "workload: synthetic\ntrials: 2\nspace:\n  student_width: [1.0, 0.5]\nconstraints: [speedup>=1000]\n"
    (folder / "study.yaml").write_text(text)
    return folder, frontrunner("search", "study.yaml", cwd=folder, command=SIMULATED)


def test_a_bound_that_no_trial_satisfies_fails_with_the_nearest_trial_and_keeps_the_study(
    impossible: tuple[Path, Any],
) -> None:
    folder, done = impossible
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "no trial satisfies" in last
    assert "speedup>=1000 (it has " in last
    shown = document(frontrunner("front", "synthetic", "--json", "--all", cwd=folder))
    assert shown["front"] == []
    assert [trial["state"] for trial in shown["all"]] == ["complete", "stopped"]


def test_an_unknown_study_gets_a_sentence_with_the_known_ones(impossible: tuple[Path, Any]) -> None:
    for arguments in (["front", "synthetik"], ["resume", "synthetik"], ["export", "synthetik", "--to", "out"]):
        refused(frontrunner(*arguments, cwd=impossible[0], **NO_RAY), ["synthetik", "there are synthetic"])


def test_a_study_is_not_continued_with_other_settings(impossible: tuple[Path, Any]) -> None:
    folder, _ = impossible
    before = document(frontrunner("front", "synthetic", "--json", "--all", cwd=folder))
    asked = ("search", "study.yaml", "--seed", "7", "--objective", "speedup")
    done = frontrunner(*asked, cwd=folder, command=SIMULATED)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "seed (was 0, now 7)" in last
    assert "objectives" in last
    assert "workload (was" not in last
    assert document(frontrunner("front", "synthetic", "--json", "--all", cwd=folder)) == before


def test_an_empty_front_has_nothing_to_export(impossible: tuple[Path, Any]) -> None:
    folder, _ = impossible
    refused(frontrunner("export", "synthetic", "--to", "out", cwd=folder, **NO_RAY), ["synthetic", "nothing to export"])
    assert not (folder / "out").exists()


def test_the_check_of_these_tests_rejects_other_codes_more_lines_and_missing_words() -> None:
    class Done:
        returncode, stdout, stderr = 2, "", "frontrunner: --trials 0: give a whole number\n"

    refused(Done, ["--trials"])
    with pytest.raises(AssertionError):
        refused(Done, ["--seed"])
    with pytest.raises(AssertionError):
        refused(Done, ["--trials"], code=1)
    Done.stderr += "Traceback\n"
    with pytest.raises(AssertionError):
        refused(Done, ["--trials"])
