"""An exported folder is held to its claims by what is measured now, and everything measured counts."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.artifacts.short_verification import shorten

from runners.artifacts import verification
from runners.artifacts.document import DOCUMENT
from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.integrity import read_claims
from runners.artifacts.verification import ATTEMPTS, CheckedClaim, require_claims, verify
from runners.backend import Trained
from runners.backends import all_backends, find_backend
from runners.machine.device import describe
from runners.measuring.opening import Artifact
from runners.measuring.pair import PairResult
from runners.workloads.synthetic import WORKLOAD
from spaces.errors import RequestError


@pytest.fixture(autouse=True)
def _short_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shorten(monkeypatch, tmp_path)


def exported(folder: Path, speedup: float, device: str | None = None, **other: Any) -> Path:
    """A new network of `synthetic`, exported with that claim and others; any network is right in 1 of 1,000 cases."""
    network = WORKLOAD.model().eval()
    lowered = folder / "lowered"
    lowered.mkdir()
    find_backend("torchscript").lower(Trained(network, lambda: Path(), WORKLOAD.example(), "fp32"), lowered)
    claims: dict[str, Any] = {
        "accuracy": 0.001,
        "accuracy_test": 0.001,
        "speedup": speedup,
        "speedup_ci95": [speedup, speedup],
        **other,
    }
    model = ExportedModel(
        artifact=Artifact(lowered, "torchscript", threads=1),
        precision="fp32",
        build=WORKLOAD.model,
        example=WORKLOAD.example(),
        configuration={"runtime": "torchscript"},
        claims=claims,
        baseline={"accuracy": 0.001, "speedup": 1.0, "speedup_ci95": [1.0, 1.0]},
        measured={
            "device": device or describe(all_backends()).device,
            "method": "pairs",
            "baseline_threads": 1,
            "seed": 0,
        },
        workload="synthetic",
        origin={"study": "night", "trial": 7, "workload": "synthetic"},
    )
    return write_exported_folder(folder / "exported", model)


def speed(claims: list[CheckedClaim]) -> CheckedClaim:
    return next(claim for claim in claims if claim.name == "speedup")


def test_a_claim_that_holds_is_timed_once(tmp_path: Path) -> None:
    claims = verify(exported(tmp_path, speedup=0.1))
    assert [claim.name for claim in claims] == ["accuracy", "accuracy_test", "speedup"]
    assert all(claim.holds and claim.found_ci95 for claim in claims)
    assert "times" not in speed(claims).note


def test_a_claim_that_does_not_hold_is_timed_again_and_says_how_often(tmp_path: Path) -> None:
    folder = exported(tmp_path, speedup=1000.0)
    found = speed(verify(folder))
    assert found.holds is False
    assert f"holds from 850.00x; timed {ATTEMPTS} times" in found.note
    with pytest.raises(verification.StageFailed, match="speedup claimed 1000, found"):
        require_claims(folder)


def test_a_claim_of_another_machine_is_shown_and_not_compared(tmp_path: Path) -> None:
    found = speed(verify(exported(tmp_path, speedup=1000.0, device="another machine")))
    assert found.holds is None
    assert found.found is not None
    assert "claimed on another machine" in found.note


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("sound"), speedup=0.1)


ABSENT = object()
PROMISED: dict[str, list[Any]] = {
    "origin": [ABSENT, None, [], "digits"],
    "origin.workload": [ABSENT, None, 3],
    "measured": [ABSENT, None, [1]],
    "measured.seed": [ABSENT, "0", 1.5, -1, True, 10**30],
    "measured.device": [ABSENT, None, 7],
    "measured.baseline_threads": [ABSENT, 0, 1.5, "1", True, 10**9],
    "runtime": [None, []],
    "runtime.name": [ABSENT, ["torchscript"]],
    "runtime.threads": [ABSENT, 0, None, 1e400, 10**9],
    "input.shape": [ABSENT, None, ["batch", -1], ["batch", 10**12]],
    "claims": [ABSENT, None, [0.1]],
    "claims.accuracy": [ABSENT, None, "high", math.nan],
    "claims.accuracy_test": ["high", math.inf, []],
    "claims.speedup": [ABSENT, None, math.nan, 0, 10**400],
    "claims.speedup_ci95": [ABSENT, None, [1.0], [1.0, math.nan], 1.0],
    "claims.unstable": [3, ["busy"]],
    "files": [ABSENT, None, ["README.md"], {"README.md": None}],
}
CASES = [(place, value) for place, values in PROMISED.items() for value in values]


@pytest.mark.parametrize(("place", "value"), CASES, ids=lambda given: "absent" if given is ABSENT else str(given)[:30])
def test_a_document_that_lacks_what_is_verified_is_refused_in_one_line(
    place: str, value: Any, sound: Path, tmp_path: Path
) -> None:
    folder = copied(sound, tmp_path)
    document = json.loads((folder / DOCUMENT).read_text())
    *outer, key = place.split(".")
    part = document[outer[0]] if outer else document
    part.pop(key, None)
    if value is not ABSENT:
        part[key] = value
    (folder / DOCUMENT).write_text(json.dumps(document))
    refused(folder, place)


UNREADABLE: dict[str, str] = {
    "empty": "",
    "a list": "[1]",
    "nested without end": "[" * 100_000,
    "a number that is too long": f'{{"schema_version": 1{"0" * 5000}}}',
    "infinite size": '{"schema_version": 1, "runtime": {"name": "torchscript"}, '
    '"files": {"README.md": {"sha256": "0", "bytes": Infinity}}}',
    "not text": "\udcff",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_document_that_cannot_be_read_is_refused_in_one_line(text: str, sound: Path, tmp_path: Path) -> None:
    folder = copied(sound, tmp_path)
    (folder / DOCUMENT).write_bytes(text.encode(errors="surrogateescape"))
    refused(folder)


def test_a_document_whose_disk_fails_is_refused_in_one_line(sound: Path, tmp_path: Path) -> None:
    folder = copied(sound, tmp_path)
    (folder / DOCUMENT).unlink()
    (folder / DOCUMENT).symlink_to("/proc/self/mem")  # a regular file that cannot be read
    refused(folder)


def test_other_keys_may_stand_in_a_document(sound: Path, tmp_path: Path) -> None:
    folder = copied(sound, tmp_path)
    document = json.loads((folder / DOCUMENT).read_text())
    for part in (document, *(document[name] for name in ("origin", "measured", "claims", "runtime"))):
        part["note"] = {"by": "hand"}
    (folder / DOCUMENT).write_text(json.dumps(document))
    assert read_claims(folder).model_dump(exclude_unset=True) == document


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copied"))


def refused(folder: Path, place: str = "") -> None:
    with pytest.raises(RequestError) as refusal:
        verify(folder)
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{folder / DOCUMENT} is damaged (")
    assert line.endswith("; export again")
    assert place.split(".")[0] in line


def steer(monkeypatch: pytest.MonkeyPatch, *runs: dict[str, Any]) -> None:
    """Let one measurement after the other be a real one with these figures in place of its own."""
    real, changes = verification.call_fresh, iter(runs)
    monkeypatch.setattr(
        verification, "call_fresh", lambda *given, **named: changed(real(*given, **named), next(changes))
    )


def changed(result: PairResult, figures: dict[str, Any]) -> PairResult:
    """``result`` with other figures in place of its own."""
    assert result.accuracies is not None
    accuracies = {name: value for name, value in figures.items() if name.startswith("accuracy")}
    timing = {name: value for name, value in figures.items() if name not in accuracies}
    return replace(result, accuracies=replace(result.accuracies, **accuracies), timing=replace(result.timing, **timing))


def timed(speedup: float, spread: float = 0.1, **other: Any) -> dict[str, Any]:
    return {"speedup": speedup, "speedup_ci95": (speedup - spread, speedup + spread), "unstable": "", **other}


def test_all_timings_count_and_a_reason_to_doubt_one_of_them_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=4.0)
    steer(monkeypatch, timed(2.0, unstable="the machine was busy"), timed(4.5))
    found = speed(verify(folder))
    assert found.found == pytest.approx(3.0)
    assert found.found_ci95 == (1.9, 4.6)
    assert found.holds
    assert "timed 2 times; not to be trusted: the machine was busy" in found.note


def test_a_claim_holds_where_what_is_found_reaches_the_low_end_of_its_own_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=31.9, speedup_ci95=[24.8, 42.3])
    steer(monkeypatch, timed(24.0, spread=2.0))
    found = speed(verify(folder))
    assert found.holds
    assert found.note.startswith("holds from 24.80x")


def test_a_claim_that_was_in_doubt_when_it_was_made_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = exported(tmp_path, speedup=4.0, unstable="the interval is wide")
    steer(monkeypatch, timed(4.0))
    assert speed(verify(folder)).note.endswith("; not to be trusted when it was claimed: the interval is wide")


def test_the_lowest_accuracies_of_all_attempts_count_with_their_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=4.0, accuracy=0.5, accuracy_test=0.5)
    good = {"accuracy": 0.9, "accuracy_ci95": (0.8, 1.0), "accuracy_test": 0.9, "accuracy_test_ci95": (0.8, 1.0)}
    bad = {"accuracy": 0.2, "accuracy_ci95": (0.1, 0.3)}
    bad_test = {"accuracy_test": 0.3, "accuracy_test_ci95": (0.2, 0.4)}
    steer(monkeypatch, timed(1.0, **good | bad), timed(1.0, **good | bad_test), timed(4.0, **good))
    accuracy, accuracy_test, speedup = verify(folder)
    assert (accuracy.found, accuracy.found_ci95, accuracy.holds) == (0.2, (0.1, 0.3), False)
    assert (accuracy_test.found, accuracy_test.found_ci95, accuracy_test.holds) == (0.3, (0.2, 0.4), False)
    assert speedup.holds
