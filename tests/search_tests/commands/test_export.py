"""``frontrunner export`` and ``verify``: how they report measurements that are uncertain."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import create_trial
from runners_tests.artifacts.short_verification import shorten

from dashboards.registry import model_registry
from dashboards.tracking.spool import Spool
from runners.artifacts.checked_claim import Attempt, CheckedClaim
from runners.backend import Trained
from runners.backends import all_backends, find_backend
from runners.machine.device import describe
from runners.measuring.measurement import Measurement
from runners.store.folder_store import FolderStore
from runners.workloads.synthetic import WORKLOAD
from search.commands import export as exporting
from search.commands import verify as verifying
from search.commands.export import ExportOptions, export_trial
from search.commands.verify import verify_folder
from search.request.locations import Home, Locations
from spaces.errors import RequestError, WorkFailed

KEY = "a" * 64
FIGURES = Measurement(
    accuracy=0.001,  # any network reaches that
    accuracy_ci95=(0.0, 0.1),
    speedup=0.1,
    speedup_ci95=(0.09, 0.11),
    latency_p50_ms=1.0,
    latency_p90_ms=1.0,
    throughput_per_s=1.0,
    load_ms=1.0,
    size_mib=1.0,
    macs=1,
    parameters=1,
    peak_memory_mib=1.0,
    train_seconds=1.0,
).to_json()
UNSTABLE = {**FIGURES, "unstable": "the machine was busy [1.0 of 2 cores]"}
"""What a study knows of the baseline whose measurements all came out of the stage store."""
SEARCHED = "measured during the search only, not again at its end"


@pytest.fixture(autouse=True)
def _short_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study with a baseline, an unstable member, a stable one, and a trial that is off the front.

    They all share one artifact, of a new network of `synthetic`.
    """
    home = tmp_path_factory.mktemp("home")
    store = FolderStore(home / "stages")
    with store.unfinished() as folder:
        trained = Trained(WORKLOAD.model().eval(), lambda: Path(), WORKLOAD.example_inputs, "fp32")
        find_backend("torchscript").lower(trained, folder)
        store.put(KEY, folder, {}, 1.0, {})
    study = optuna.create_study(
        study_name="night", storage=f"sqlite:///{home / 'studies.db'}", directions=["maximize", "maximize"]
    )
    settings = {
        "workload": "synthetic",
        "objectives": ["accuracy", "speedup"],
        "constraints": [],
        "space": {},
        "seed": 0,
    }
    attributes: dict[str, Any] = {
        "settings": settings,
        "facts": {"name": "synthetic", "metric": "accuracy"},
        "environment": {"device": describe(all_backends()).device},
        "places": {"stages": str(store), "tracking": ""},
        "final": {"0": FIGURES, "1": UNSTABLE, "2": FIGURES},
    }
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    for number in range(4):
        choices = {"runtime": "torchscript", "numeric_precision": "fp32", "threads": 1, "replicas": number + 1}
        kept = {"configuration": json.dumps(choices), "measurement": FIGURES, "stages": {"lowering": KEY}}
        study.add_trial(create_trial(values=[0.001, 0.1], user_attrs=kept))
    return home


def export(home: Path, to: Path, pick: int, *within: str) -> dict[str, Any]:
    """The document of the folder that was written."""
    export_trial(ExportOptions("night", to, str(pick), within), Locations(home), as_json=True)
    document: dict[str, Any] = json.loads((to / "frontrunner.json").read_text())
    return document


@pytest.mark.parametrize(("pick", "doubts"), [(1, [f"unstable: {UNSTABLE['unstable']}"]), (3, [SEARCHED])])
def test_a_warning_is_printed_and_exported_with_the_measurement(
    pick: int, doubts: list[str], home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert export(home, tmp_path / "out", pick)["measured"]["doubts"] == doubts
    assert f"\n{doubts[0]}\n" in (tmp_path / "out" / "README.md").read_text().replace("**", "")
    said = capfd.readouterr()
    assert f"trial {pick}: {doubts[0]}\n" in said.err
    assert json.loads(said.out)["doubts"] == doubts


def test_a_trial_that_mlflow_does_not_have_is_refused_before_anything_is_written(home: Path, tmp_path: Path) -> None:
    options = ExportOptions("night", tmp_path / "out", "2", register="m")
    with pytest.raises(RequestError, match=f"no run of this trial yet; `frontrunner resume night --home {home}` sends"):
        export_trial(options, Locations(home), as_json=True)
    assert not (tmp_path / "out").exists()


def test_a_trial_picked_by_its_number_is_registered_with_its_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locations, runs = Locations(home), list[str]()
    spool = Spool(Home(home).spool("night"), "http://127.0.0.1:1")
    spool.sent_until(0, {3: "of-trial-3"})
    spool.close()
    monkeypatch.setattr(model_registry, "register_model", lambda where, name, folder, run: runs.append(run))
    export_trial(ExportOptions("night", tmp_path / "out", "3", register="m"), locations, as_json=True)
    assert runs == ["of-trial-3"]


def test_a_stable_final_measurement_has_no_warning(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert export(home, tmp_path / "out", 2)["measured"]["doubts"] == []
    assert json.loads(capfd.readouterr().out)["doubts"] == []
    assert "unstable" not in (tmp_path / "out" / "README.md").read_text()


def test_a_bound_on_an_unknown_quantity_is_not_satisfied(home: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="latency_p99_ms<=5: trial 2 does not satisfy it"):
        export(home, tmp_path / "out", 2, "latency_p99_ms<=5")


def test_the_notes_of_an_exported_folder_are_printed_without_markup_and_its_home_trusts_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    export(home, tmp_path / "out", 2)
    claim = CheckedClaim("speedup", 2.0, 2.1, (2.0, 2.2), None, "claimed on [/b]", comparable=False)
    monkeypatch.setattr(verifying, "verify", lambda *given, **named: [claim])
    verify_folder(tmp_path / "out", Home(home), trust=False, as_json=False)
    assert "claimed on [/b]" in capfd.readouterr().out


@pytest.mark.parametrize("as_json", [True, False])
def test_verify_tells_the_best_and_the_worst_of_two_timings_and_the_threads_of_both_sides(
    as_json: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    export(home, tmp_path / "out", 2)
    attempts = (Attempt(7.0, (6.5, 7.5), 7.5, "", False), Attempt(8.0, (7.5, 8.5), 8.5, "", False))
    claim = CheckedClaim("speedup", 10.0, 8.0, (7.5, 8.5), False, "a note", attempts=attempts)
    monkeypatch.setattr(verifying, "verify", lambda *given, **named: [claim])
    monkeypatch.setenv("COLUMNS", "200")
    capfd.readouterr()
    with pytest.raises(WorkFailed, match=r"speedup claimed 10, found 7 \(6.5 to 7.5\) and 8 \(7.5 to 8.5\)"):
        verify_folder(tmp_path / "out", Home(home), trust=False, as_json=as_json)
    said = capfd.readouterr().out
    if as_json:
        shown = json.loads(said)
        assert shown["holds"] is False
        assert shown["threads"] == {"model": 1, "baseline": 1}
        assert [attempt["found_ci95"] for attempt in shown["claims"][0]["attempts"]] == [[6.5, 7.5], [7.5, 8.5]]
        return
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert "speedup, best of 2 10 8 7.5-8.5 NO a note" in rows
    assert "speedup, worst of 2 10 7 6.5-7.5 NO" in rows
    assert rows[-1] == "the model: torchscript, 1 thread; the baseline: PyTorch eager, fp32, 1 thread"


def test_verify_fails_where_no_timing_can_be_trusted(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    export(home, tmp_path / "out", 2)
    claim = CheckedClaim("speedup", 10.0, 10.0, (9.0, 11.0), None, "attempt 1 decides nothing: busy")
    monkeypatch.setattr(verifying, "verify", lambda *given, **named: [claim])
    capfd.readouterr()
    with pytest.raises(WorkFailed, match="the claim on speedup could not be decided"):
        verify_folder(tmp_path / "out", Home(home), trust=False, as_json=True)
    assert json.loads(capfd.readouterr().out)["holds"] is None


def test_an_export_whose_speedup_could_not_be_decided_says_so(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "require_claims", lambda folder, waiting: ["speedup claimed 4, found 4: busy"])
    export(home, tmp_path / "out", 2)
    assert json.loads(capfd.readouterr().out)["undecided"] == ["speedup claimed 4, found 4: busy"]
    export_trial(ExportOptions("night", tmp_path / "again", "2"), Locations(home), as_json=False)
    said = capfd.readouterr().err
    assert "what could be decided of its claims holds" in said
    assert "! undecided: speedup claimed 4, found 4: busy" in said
