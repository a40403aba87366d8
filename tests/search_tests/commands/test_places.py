"""Homes that were moved or copied, names with unusual characters, passwords, and what the environment says."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import optuna
import pytest
from search_tests.simulation import make_runner

from dashboards.tracking.sqlite_url import sqlite_url
from search.commands import search as searching
from search.commands.export import ExportOptions, export_trial
from search.commands.front import FrontOptions, show_front
from search.commands.hints import resume_command
from search.commands.search import resume_search, run_search
from search.commands.studies import open_study
from search.commands.tracking.recording import used_variables
from search.request.locations import Home, Locations
from search.request.read_request import merge
from search.request.remembered_locations import recall, require_credentials, to_json
from search.study.storage import open_storage
from spaces.errors import RequestError

SETTINGS = {
    "study": "s",
    "workload": "digits",
    "space": {"student_width": [1.0, 0.5], "runtime": "all", "numeric_precision": "all"},
}


def search(trials: int = 3, **settings: Any) -> dict[str, Any]:
    """The front document of a small simulated search."""
    return run_search(merge({}, {**SETTINGS, "trials": trials, **settings}), runner=make_runner())


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``resume`` carry out its stages in simulation."""
    monkeypatch.setattr(searching, "_runner_starter", lambda given, locations: make_runner)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a home ``first`` with a study."""
    folder = tmp_path_factory.mktemp("searched")
    search(home=str(folder / "first"))
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder and what it holds."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def forget_runs() -> None:
    """Let MLflow look up where runs keep their artifacts, as in a new process."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def study_of(home: Path) -> optuna.Study:
    """The study of a home."""
    return optuna.load_study(study_name="s", storage=Home(home).storage)


def stored_paths(home: Path) -> list[str]:
    """All places of artifacts that the MLflow database of a home names, but that of MLflow's own experiment."""
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        experiments = connection.execute("SELECT artifact_location FROM experiments WHERE experiment_id != 0")
        runs = connection.execute("SELECT artifact_uri FROM runs")
        return [path for (path,) in [*experiments, *runs]]


@pytest.mark.usefixtures("simulated")
def test_a_copied_home_is_the_only_one_that_is_read_and_written(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(searched / "first", tmp_path / "copy")
    forget_runs()
    before = contents(searched / "first")
    resume_search("s", Locations(tmp_path / "copy"), trials=5, timeout=None)
    assert contents(searched / "first") == before
    assert len(study_of(tmp_path / "copy").trials) == 5
    paths = stored_paths(tmp_path / "copy")
    assert paths
    assert all(path.startswith((tmp_path / "copy" / "mlartifacts").as_uri()) for path in paths)
    pages = sorted((tmp_path / "copy" / "mlartifacts").rglob("front.json"))
    assert len(json.loads(pages[0].read_text())["front"]) >= 1


@pytest.mark.usefixtures("simulated")
def test_a_home_that_was_moved_works_where_it_is_now(searched: Path, tmp_path: Path) -> None:
    shutil.copytree(searched / "first", tmp_path / "before")
    forget_runs()
    resume_search("s", Locations(tmp_path / "before"), trials=3, timeout=None)
    (tmp_path / "before").rename(tmp_path / "now")
    forget_runs()
    resume_search("s", Locations(tmp_path / "now"), trials=4, timeout=None)
    show_front("s", Locations(tmp_path / "now"), FrontOptions(as_json=True))
    assert not (tmp_path / "before").exists()


def test_a_study_remembers_no_path_of_its_home(searched: Path) -> None:
    study = study_of(searched / "first")
    assert str(searched) not in json.dumps(study.user_attrs)
    pins = [path.read_text() for path in (searched / "first" / "stages" / "pins").iterdir()]
    assert len(pins) == 1
    assert str(searched) not in pins[0]


def test_places_of_an_earlier_version_lie_in_the_home_of_today(tmp_path: Path) -> None:
    home = Home(tmp_path / "old")
    old = {"home": str(home.path), "tracking": f"sqlite:///{home.path}/mlflow.db", "stages": str(home.stages)}
    found = recall(old, Locations(tmp_path / "new"))
    assert found.stages == str(tmp_path / "new" / "stages")
    assert found.tracking == f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    elsewhere = {**old, "tracking": "http://host:5000", "stages": "/shared/stages"}
    found = recall(elsewhere, Locations(tmp_path / "new"))
    assert (found.tracking, found.stages) == ("http://host:5000", "/shared/stages")


def test_everything_lies_in_a_home_of_any_name(tmp_path: Path) -> None:
    home = tmp_path / "a ? b#c 50%25 off {x}&d;e@f:g Übung \"1\" 'y'"
    search(trials=2, home=str(home))
    assert [path.name for path in tmp_path.iterdir()] == [home.name]
    assert {"studies.db", "mlflow.db", "mlartifacts", "stages", "spool", "locks"} <= {p.name for p in home.iterdir()}
    assert len(study_of(home).trials) == 2
    assert all(unquote(path).startswith(f"file://{home}/mlartifacts/") for path in stored_paths(home))


@pytest.mark.parametrize("name", ["plain", "a b", "a ? b", "a#b", "50%25 off", "Übung \"1\" 'y'", "{x}&c;d@e:f"])
def test_the_url_of_an_sqlite_file_is_read_as_its_path(name: str, tmp_path: Path) -> None:
    from sqlalchemy import create_engine, text

    (tmp_path / name).mkdir()
    url = sqlite_url(tmp_path / name / "studies.db")
    with create_engine(url.format(SCHEMA_VERSION=1)).begin() as connection:  # as Optuna fills in its version
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    assert [path.relative_to(tmp_path) for path in contents(tmp_path)] == [Path(name) / "studies.db"]


@pytest.mark.parametrize("given", ["sqlite:///my ? studies.db", "sqlite:///{x}.db", "sqlite:///a%23b.db"])
def test_a_relative_storage_lies_in_the_folder_of_the_call(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "50%25 off"
    folder.mkdir()
    monkeypatch.chdir(folder)
    from sqlalchemy import make_url

    read = merge({}, {**SETTINGS, "storage": given}).storage
    assert read is not None
    expected = make_url(given)
    assert make_url(read).database == str(folder / str(expected.database))
    assert make_url(read).query == expected.query


SECRET = "hidden-word"


@pytest.mark.faults("mlflow away")
def test_a_study_goes_on_while_its_tracking_server_is_away_and_a_new_one_does_not_begin(
    tmp_path: Path, simulated: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("TRACKING_WAIT_S", "TRACKING_WAIT_UNFINISHED_S"):
        monkeypatch.setattr(f"search.commands.tracking.recording.{name}", 0.1)
    away = "http://127.0.0.1:9/"
    with pytest.raises(RequestError, match="no tracking server can be reached at http://127"):
        search(home=str(tmp_path / "home"), tracking_uri=away)
    with monkeypatch.context() as there:
        there.setattr("search.commands.tracking.recording.check_tracking_uri", lambda uri: None)
        search(home=str(tmp_path / "home"), tracking_uri=away)
    capfd.readouterr()
    document = resume_search("s", Locations(tmp_path / "home"), trials=4, timeout=None)
    assert document["trials"] == 4
    spool = tmp_path / "home" / "spool" / "s"
    assert f"the records wait in {spool}: no tracking server can be reached" in " ".join(capfd.readouterr().err.split())
    kinds = [json.loads(line)["kind"] for line in (spool / "records.jsonl").read_text().splitlines()]
    assert kinds.count("trial") == 4


@pytest.mark.faults("secret")
def test_a_password_is_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRONTRUNNER_STAGE_COPIES", str(tmp_path / "copies"))
    monkeypatch.setattr("search.commands.tracking.recording.check_tracking_uri", lambda uri: None)
    monkeypatch.setattr("search.commands.tracking.recording.TRACKING_WAIT_S", 1.0)
    Home(tmp_path / "home").make()
    storage = f"sqlite:///{tmp_path}/home/studies.db?token={SECRET}"
    opened = open_storage(Home(tmp_path / "home").storage)
    monkeypatch.setattr(searching, "open_storage", lambda url: opened)  # SQLite itself takes no password
    search(
        home=str(tmp_path / "home"),
        storage=storage,
        tracking_uri=f"http://me:{SECRET}@127.0.0.1:9/",
        stage_store=f"memory://me:{SECRET}@bucket/stages?token={SECRET}",
    )
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    found = [path for path, content in contents(tmp_path).items() if SECRET.encode() in content]
    assert found == []
    known = study_of(tmp_path / "home").user_attrs["places"]
    assert known["tracking"] == "http://127.0.0.1:9/"
    assert known["credentials"] == ["tracking", "stages"]
    with pytest.raises(RequestError, match="--stage-store") as refused:
        resume_search("s", Locations(tmp_path / "home"), trials=4, timeout=None)
    assert SECRET not in str(refused.value)
    given = Locations(tmp_path / "home", stage_store="/stages")
    with pytest.raises(RequestError, match="--tracking-uri or in MLFLOW_TRACKING_URI"):
        resume_search("s", given, trials=4, timeout=None)
    options = ExportOptions("s", tmp_path / "out", register="m")
    with pytest.raises(RequestError, match="--tracking-uri or in MLFLOW_TRACKING_URI"):
        export_trial(options, given, as_json=False)


def test_mlflows_variables_are_honoured_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "night shift")
    monkeypatch.chdir(tmp_path)
    search(trials=1, home=str(tmp_path / "home"))
    said = capsys.readouterr()
    assert f"MLflow's runs go to sqlite:///{tmp_path}/elsewhere.db, as MLFLOW_TRACKING_URI says" in said.err
    assert "experiment is night shift, as MLFLOW_EXPERIMENT_NAME says" in said.err
    assert f"mlflow server --backend-store-uri sqlite:///{tmp_path}/elsewhere.db" in said.out
    assert not (tmp_path / "home" / "mlflow.db").exists()
    with closing(sqlite3.connect(tmp_path / "elsewhere.db")) as connection:
        query = "SELECT count(*) FROM runs JOIN experiments USING (experiment_id) WHERE experiments.name = ?"
        assert connection.execute(query, ("night shift",)).fetchone() == (2,)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another:1")
    _, found = open_study("s", Locations(tmp_path / "home"))
    assert found.tracking == f"sqlite:///{tmp_path}/elsewhere.db"
    assert used_variables(found)[0].startswith("MLFLOW_TRACKING_URI is not used: ")


def test_options_come_before_the_study_that_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    known = to_json(Locations("/h", tracking_uri="http://me:hidden@kept"))
    assert known == {"tracking": "http://kept", "credentials": ["tracking"]}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://variable")
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setenv("OPTUNA_STORAGE", "postgresql+psycopg://me:hidden@host/db")
    assert recall({}, Locations("/h")).given() == {
        "home": "/h",
        "storage": "postgresql+psycopg://me:hidden@host/db",
        "tracking_uri": "http://variable",
        "address": "head:6379",
    }
    assert recall(known, Locations("/h")).tracking == "http://kept"
    assert recall(known, Locations("/h", tracking_uri="http://option")).tracking == "http://option"
    lines = used_variables(recall(known, Locations("/h")))
    assert lines == [
        "studies are in postgresql+psycopg://me:***@host/db, as OPTUNA_STORAGE says",
        "MLFLOW_TRACKING_URI is not used: an option, the study file or the study itself says http://kept",
        "Ray is the cluster at head:6379, as RAY_ADDRESS says",
    ]
    assert "OPTUNA" not in resume_command("s", recall(known, Locations("/h")))
    assert "--storage" not in resume_command("s", recall(known, Locations("/h")))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@kept")
    assert recall(known, Locations("/h")).tracking == "http://me:hidden@kept"
    require_credentials("s", known, Locations("/h"), ("tracking_uri",))
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert recall({}, Locations("/h")).address is None


def test_a_variable_that_cannot_be_honoured_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://host")
    with pytest.raises(RequestError, match=r"ftp://host.*MLFLOW_TRACKING_URI"):
        search(trials=1, home=str(tmp_path / "home"))


def test_a_server_takes_its_password_from_mlflows_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    known = to_json(Locations("/h", tracking_uri="http://me:hidden@kept"))
    with pytest.raises(RequestError, match="uses http://kept with credentials, which are not kept"):
        require_credentials("s", known, Locations("/h"), ("tracking_uri",))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    require_credentials("s", known, Locations("/h"), ("tracking_uri",))


def test_with_a_database_elsewhere_the_home_is_remembered_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    known = to_json(Locations(tmp_path / "home", "sqlite:////shared/studies.db", stage_store=f"{tmp_path}/home/cache"))
    assert known == {"stages": {"in_home": "cache"}, "credentials": [], "home": str(tmp_path / "home")}
    found = recall(known, Locations(storage="sqlite:////shared/studies.db"))
    assert (found.folder.path, found.stages) == (tmp_path / "home", str(tmp_path / "home" / "cache"))
    found = recall(known, Locations("/new", "sqlite:////shared/studies.db"))
    assert (str(found.folder.path), found.stages) == ("/new", "/new/cache")
    monkeypatch.setenv("FRONTRUNNER_HOME", "/other")
    assert str(recall(known, Locations(storage="sqlite:////shared/studies.db")).folder.path) == "/other"
