"""An exported folder is held to its claims by what is measured now."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runners_tests.artifacts.short_verification import shorten

from runners.artifacts import verification
from runners.artifacts.checked_claim import CheckedClaim
from runners.artifacts.document import DOCUMENT
from runners.artifacts.exported_folder import ExportedModel, write_exported_folder
from runners.artifacts.integrity import read_claims, read_document
from runners.artifacts.verification import ATTEMPTS, require_claims, verify
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
    find_backend("torchscript").lower(Trained(network, lambda: Path(), WORKLOAD.example_inputs, "fp32"), lowered)
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
        example=WORKLOAD.example_inputs,
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


def test_a_claim_that_holds_is_timed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steer(monkeypatch, timed(4.0))
    claims = verify(exported(tmp_path, speedup=4.0))
    assert [claim.name for claim in claims] == ["accuracy", "accuracy_test", "speedup"]
    assert all(claim.holds and claim.found_ci95 for claim in claims)
    assert len(speed(claims).attempts) == 1


def test_each_time_it_is_timed_in_several_processes_and_evaluated_in_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, asked = exported(tmp_path, speedup=1000.0), verification.call_fresh, []

    def note(function: Any, request: Any, splits: Any, **named: Any) -> Any:
        asked.append((splits, request.settings.seed, request.settings.budget_s))
        return real(function, request, splits, **named)

    monkeypatch.setattr(verification, "call_fresh", note)
    monkeypatch.setattr(verification, "PROCESSES", 2)
    verify(folder)
    budget = verification.VERIFY_S / 2
    assert asked == [(("validation", "test"), 0, budget), ((), 1, budget)] * ATTEMPTS


def test_a_claim_that_does_not_hold_is_timed_once_more_and_no_export_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steer(monkeypatch, timed(4.0), timed(4.1), timed(4.0), timed(4.1))
    folder = exported(tmp_path, speedup=1000.0)
    found = speed(verify(folder))
    assert found.holds is False
    assert len(found.attempts) == ATTEMPTS == 2
    with pytest.raises(verification.StageFailed, match=r"speedup claimed 1000, found 4 .* and 4.1 "):
        require_claims(folder)


def test_where_the_first_timing_does_not_show_it_the_second_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=4.0)
    steer(monkeypatch, timed(3.0), timed(4.05), timed(3.0), timed(3.05))
    found = speed(verify(folder))
    assert found.holds
    found_in_turn = [(round(attempt.found, 6), attempt.holds) for attempt in found.attempts]
    assert found_in_turn == [(3.0, False), (4.05, True)]
    with pytest.raises(
        verification.StageFailed, match=r"speedup claimed 4, found 3 \(2.9 to 3.1\) and 3.05 \(2.95 to 3.15\)"
    ):
        require_claims(folder)


def test_an_export_whose_speedup_cannot_be_decided_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = exported(tmp_path, speedup=4.0)
    steer(monkeypatch, timed(4.0, unstable="the machine was busy"), timed(4.1, unstable="the machine was busy"))
    (undecided,) = require_claims(folder)
    assert undecided.startswith("speedup claimed 4, found 4 (3.9 to 4.1) and 4.1 (4 to 4.2)")
    assert "the machine was busy" in undecided


def test_a_claim_of_another_machine_is_shown_and_not_compared(tmp_path: Path) -> None:
    found = speed(verify(exported(tmp_path, speedup=1000.0, device="another machine")))
    assert found.holds is None
    assert not found.is_undecided
    assert len(found.attempts) == 1
    assert "claimed on another machine" in found.note


@pytest.mark.parametrize(("place", "threads"), [("runtime", "threads"), ("measured", "baseline_threads")])
def test_more_threads_than_this_machine_has_cores_are_refused(
    place: str, threads: str, sound: Path, tmp_path: Path
) -> None:
    folder = copied(sound, tmp_path)
    document = json.loads((folder / DOCUMENT).read_text())
    document[place][threads] = 1000
    (folder / DOCUMENT).write_text(json.dumps(document))
    with pytest.raises(
        RequestError, match=r"was measured on 1000 threads, and this machine has \d+ usable cores; verify"
    ):
        verify(folder)


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
    with pytest.raises(RequestError, match=rf"^{folder / DOCUMENT} cannot be read \([^\n]+\); give another folder"):
        read_document(folder)


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
    accuracies = {name: value for name, value in figures.items() if name.startswith("accuracy")}
    timing = {name: value for name, value in figures.items() if name not in accuracies}
    evaluated = replace(result.accuracies, **accuracies) if result.accuracies else None
    return replace(result, accuracies=evaluated, timing=replace(result.timing, **timing))


def timed(speedup: float, spread: float = 0.1, **other: Any) -> dict[str, Any]:
    return {"speedup": speedup, "speedup_ci95": (speedup - spread, speedup + spread), "unstable": "", **other}


def test_the_lowest_accuracies_of_all_attempts_count_with_their_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=4.0, accuracy=0.5, accuracy_test=0.5)
    good = {"accuracy": 0.9, "accuracy_ci95": (0.8, 1.0), "accuracy_test": 0.9, "accuracy_test_ci95": (0.8, 1.0)}
    bad = {"accuracy": 0.2, "accuracy_ci95": (0.1, 0.3)}
    bad_test = {"accuracy_test": 0.3, "accuracy_test_ci95": (0.2, 0.4)}
    steer(monkeypatch, timed(1.0, **good | bad), timed(4.0, **good | bad_test))
    accuracy, accuracy_test, speedup = verify(folder)
    assert (accuracy.found, accuracy.found_ci95, accuracy.holds) == (0.2, (0.1, 0.3), False)
    assert (accuracy_test.found, accuracy_test.found_ci95, accuracy_test.holds) == (0.3, (0.2, 0.4), False)
    assert speedup.holds
