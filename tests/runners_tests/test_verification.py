"""An exported folder is held to its claims by what is measured now, and everything measured counts."""

from pathlib import Path
from typing import Any

import pytest

from runners import verification
from runners.artifact import write
from runners.backend import Trained, find_backend
from runners.device import describe
from runners.verification import ATTEMPTS, Finding, require_claims, verify
from runners.workloads.synthetic import WORKLOAD


@pytest.fixture(autouse=True)
def _short_and_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRONTRUNNER_LEASES", str(tmp_path / "leases"))
    monkeypatch.setattr(verification, "BUDGET_S", 0.1)


def exported(folder: Path, speedup: float, device: str | None = None) -> Path:
    """A new network of `synthetic`, exported with that claim; any network is right in 1 of 1,000 cases."""
    network = WORKLOAD.model().eval()
    lowered = folder / "lowered"
    lowered.mkdir()
    find_backend("torchscript").lower(Trained(network, lambda: Path(), WORKLOAD.example(), "fp32"), lowered)
    claims = {"accuracy": 0.001, "accuracy_test": 0.001, "speedup": speedup, "speedup_ci95": [speedup, speedup]}
    return write(
        folder / "exported",
        lowered=lowered,
        runtime="torchscript",
        precision="fp32",
        build=WORKLOAD.model,
        example=WORKLOAD.example(),
        configuration={"runtime": "torchscript"},
        claims=claims,
        baseline={"accuracy": 0.001, "speedup": 1.0, "speedup_ci95": [1.0, 1.0]},
        measured={"device": device or describe().device, "method": "pairs", "baseline_threads": 1, "seed": 0},
        workload="synthetic",
        origin={"study": "night", "trial": 7, "workload": "synthetic"},
    )


def speed(findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.name == "speedup")


def test_a_claim_that_holds_is_timed_once(tmp_path: Path) -> None:
    findings = verify(exported(tmp_path, speedup=0.1))
    assert [finding.name for finding in findings] == ["accuracy", "accuracy_test", "speedup"]
    assert all(finding.holds for finding in findings)
    assert "times" not in speed(findings).note


def test_a_claim_that_does_not_hold_is_timed_again_and_says_how_often(tmp_path: Path) -> None:
    folder = exported(tmp_path, speedup=1000.0)
    found = speed(verify(folder))
    assert found.holds is False
    assert f"holds from 850.00x; timed {ATTEMPTS} times" in found.note
    with pytest.raises(verification.StageFailed, match="speedup claimed 1000, found"):
        require_claims(folder)


def test_a_claim_of_another_machine_is_shown_and_not_judged(tmp_path: Path) -> None:
    found = speed(verify(exported(tmp_path, speedup=1000.0, device="another machine")))
    assert found.holds is None
    assert found.found is not None
    assert "claimed on another machine" in found.note


def test_all_timings_count_and_a_reason_to_doubt_one_of_them_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported(tmp_path, speedup=4.0)
    real, speedups = verification.call_fresh, iter([2.0, 4.5])

    def steered(*arguments: Any, **named: Any) -> dict[str, Any]:
        value = next(speedups)
        doubt = "the machine was busy" if value == 2.0 else ""
        return {
            **real(*arguments, **named),
            "speedup": value,
            "speedup_ci95": (value - 0.1, value + 0.1),
            "unstable": doubt,
        }

    monkeypatch.setattr(verification, "call_fresh", steered)
    found = speed(verify(folder))
    assert found.found == pytest.approx(3.0)
    assert found.found_ci95 == (1.9, 4.6)
    assert found.holds
    assert found.note.endswith("timed 2 times; not to be trusted: the machine was busy")
