"""``search --dry-run`` says what a search would do, and leaves everything as it is."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from search_tests.simulation import CHOICES, FACTS, MACHINE, make_runner, training_only

from runners.backends import all_backends
from runners.machine.device import describe
from runners.store.location import open_store
from search.commands.dry_run import show_plan
from search.commands.search import run_search
from search.driver.time_limits import final_measurement_s
from search.request.read_request import from_yaml, merge
from search.study.attributes import STAGES
from search.study.storage import open_storage
from search.study.study import find_study
from spaces.environment import Environment
from spaces.errors import RequestError
from spaces.space_document import make_space, preset_names

SETTINGS: dict[str, Any] = {"study": "here", "workload": "digits", "space": CHOICES, "trials": 10}
OBJECTIVES = ["accuracy", "speedup"]


@pytest.fixture(autouse=True)
def _inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.commands.dry_run.inspect_on_this_machine", lambda *_: (MACHINE, FACTS))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def plan(home: Path, capsys: pytest.CaptureFixture[str], **settings: Any) -> Any:
    """The document of a dry run, which must not change a byte below ``home``."""
    before = contents(home)
    show_plan(merge({}, {**SETTINGS, "home": str(home), **settings}), as_json=True)
    assert contents(home) == before
    return json.loads(capsys.readouterr().out)


def contents(folder: Path) -> dict[str, str]:
    """A hash of each file below ``folder``."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


def search(home: Path, capsys: pytest.CaptureFixture[str], **settings: Any) -> None:
    """A search on the table, where training a candidate takes 10 s and each other stage 0.1 s."""
    request = merge({}, {**SETTINGS, "home": str(home), **settings})
    run_search(request, runner=make_runner(seconds=training_only))
    capsys.readouterr()


def test_a_new_study_is_resolved_and_nothing_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = plan(home, capsys, constraints=["accuracy_drop<=0.01"], timeout="30m")
    assert not home.exists()
    assert (document["study"], document["exists"], document["finished_trials"]) == ("here", False, 0)
    assert document["workload"]["name"] == FACTS.name
    assert document["searched"]["student_width"] == CHOICES["student_width"]
    assert (document["fixed"]["replicas"], document["baseline_threads"]) == (1, [1, 2])
    assert "threads" not in document["fixed"]  # as many as the baseline will have
    assert document["configurations"] == len([*make_space(CHOICES, MACHINE).configurations()])
    assert {"choice": "runtime", "value": "eager", "reason": "eager does not support int8 here"} in document["off"]
    assert document["objectives"][1] == {"name": "speedup", "direction": "maximize", "unit": "x"}
    assert document["constraints"] == ["accuracy_drop<=0.01"]
    assert (document["trials"], document["timeout_s"], document["time_budget_s"]) == (10, 1800.0, None)
    assert document["places"]["home"] == str(home)
    assert [document[key] for key in ("trial", "search_s", "trial_bytes", "search_bytes")] == [None] * 4


def test_a_value_that_is_never_drawn_is_not_searched(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = plan(home, capsys, space={"numeric_precision": ["fp32", "int8"], "runtime": ["eager"]})
    assert document["searched"] == {}
    assert document["fixed"]["numeric_precision"] == "fp32"
    assert document["off"][0]["reason"].startswith("no offered runtime goes with it")


def test_it_says_on_stderr_what_takes_a_while_and_on_stdout_what_the_training_starts_from(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = replace(FACTS, notes=("the training starts from /models/backbone.safetensors, with a new head",))
    monkeypatch.setattr("search.commands.dry_run.inspect_on_this_machine", lambda *_: (MACHINE, facts))
    show_plan(merge({}, {**SETTINGS, "home": str(home)}), as_json=False)
    printed = capsys.readouterr()
    assert facts.notes[0] in " ".join(printed.out.split())
    assert printed.err == "inspecting the machine and workload digits; each choice is tried once on its network\n"


def test_a_space_in_which_nothing_runs_is_named_with_its_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("workload: digits\nspace:\n  runtime: eager\n  threads: 64\n")
    (tmp_path / "space.yaml").write_text("threads: [64]\n")
    written = from_yaml(tmp_path / "study.yaml")
    in_study = merge(written, {"home": str(home)}).with_space_in(tmp_path / "study.yaml")
    in_file = merge({}, {"home": str(home), "space": str(tmp_path / "space.yaml")})
    for request, place in ((in_study, "study.yaml:4"), (in_file, "space.yaml:1")):
        with pytest.raises(RequestError, match=f"^{tmp_path}/{place}: nothing in this space can run here .threads 64"):
            show_plan(request, as_json=False)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (CHOICES, "10 trials, none begins after 30 min"),
        ("post-training", "none but the baseline is timed after 30 min"),
    ],
)
def test_it_says_what_the_timeout_ends(space: Any, words: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(merge({}, {**SETTINGS, "home": str(home), "space": space, "timeout": "30m"}), as_json=False)
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_resolves_on_this_machine(
    preset: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.commands.dry_run.inspect_on_this_machine", lambda *_: (this_machine(), FACTS))
    document = plan(home, capsys, space=preset)
    assert document["configurations"] > 1
    assert all(off["reason"] for off in document["off"])


@cache
def this_machine() -> Environment:
    return describe(all_backends())


def test_an_existing_study_gives_the_cost_of_a_trial(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(home, capsys)
    document = plan(home, capsys, trials=14)
    trial = document["trial"]
    assert document["baseline_threads"] == [document["fixed"]["threads"]]
    assert (document["exists"], document["status"], document["finished_trials"]) == (True, "finished", 10)
    assert (trial["studies"], trial["trials"], document["trials_left"]) == (["here"], 9, 4)
    assert trial["training_s"] >= 10
    assert trial["measuring_s"] == 0.1
    front = final_measurement_s(trial["front"], 0.1)
    assert document["search_s"] == pytest.approx(4 * trial["trial_s"] + front)
    assert plan(home, capsys, trials=14, time_budget="20s", objectives=OBJECTIVES)["search_s"] == 20
    assert plan(home, capsys, trials=14, timeout="1s")["search_s"] == pytest.approx(1 + trial["trial_s"] + front)


def test_another_study_of_the_workload_gives_it_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(home, capsys)
    document = plan(home, capsys, study="other", seed=1, from_study="here")
    assert document["trial"]["studies"] == ["here"]
    assert document["from_study_candidates"] > 1
    assert not document["exists"]


def test_what_trials_left_in_the_stage_store_is_what_others_will(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search(home, capsys)
    study = find_study(open_storage(f"sqlite:///{home}/studies.db"), "here")
    kept = {t.number: t.user_attrs[STAGES] for t in study.get_trials() if STAGES in t.user_attrs}
    store = open_store(home / "stages")
    for key in {key for keys in kept.values() for key in keys.values()}:
        with store.unfinished() as folder:
            (folder / "weights").write_bytes(b"0" * 100_000)
            store.put(key, folder, {}, 1.0, {"inputs": {}})
    own = {key for number, keys in kept.items() if number for key in keys.values()} - set(kept[0].values())
    document = plan(home, capsys, trials=14)
    assert document["trial_bytes"] == pytest.approx(100_000 * len(own) / (len(kept) - 1), rel=0.02)
    assert document["search_bytes"] == 4 * document["trial_bytes"]


def test_what_the_search_would_refuse_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RequestError, match=r"--from gone: no study is kept in"):
        plan(home, capsys, from_study="gone")
    search(home, capsys)
    with pytest.raises(RequestError, match=r"exists with other settings: seed \(was 0, now 3\)"):
        plan(home, capsys, seed=3)
    with pytest.raises(RequestError, match=r"no study is called 'gone'; there are here"):
        plan(home, capsys, study="new", from_study="gone")


def test_people_read_it_as_lines(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    request = merge({}, {**SETTINGS, "home": str(home), "address": "head:6379"})
    show_plan(request, as_json=False)
    first = capsys.readouterr().out
    for words in ("nothing was started", "head:6379, which may", "width: 1.0, 0.5", "eager does not", "not known yet"):
        assert words in first
    search(home, capsys)
    show_plan(request, as_json=False)
    again = capsys.readouterr().out
    for words in ("goes on after 10 finished trials", "in the mean of 9 trials of here", " s for 0 trials"):
        assert words in again


def test_the_command_starts_no_ray_and_makes_no_home(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['frontrunner', 'search', '--dry-run', '--json']; from search.cli import main\n"
        "try: main()\n"
        "finally: print({'ray', 'mlflow'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stderr.splitlines()[-1] == "set()"
    assert json.loads(done.stdout)["workload"]["name"] == "digits"
    assert list(tmp_path.iterdir()) == []
