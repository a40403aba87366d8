"""Run either side of the time-to-front benchmark from nothing, and read what it found and when."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from plain_loop import FULL

STUDY = "time-to-front"


class SideFailed(Exception):
    """A side ended without a result; the message says how."""


@dataclass(frozen=True)
class Trial:
    """One finished trial.

    Attributes:
        number: Its number.
        wall_s: Seconds from the start of the side's process, or before, to its end.
        train_s: Seconds that all training had taken by then, the teacher's among them.
        accuracy: On the validation split, as its own side found it.
        speedup: As its own side found it.
        member: What `side_by_side.judge` opens.
    """

    number: int
    wall_s: float
    train_s: float
    accuracy: float
    speedup: float
    member: Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """What one side did.

    Attributes:
        teacher: Its teacher in eager fp32, as `side_by_side.judge` opens it.
        trials: Those that were measured, in the order in which they ended.
        failed: How many were not.
        wall_s: Seconds that the whole command took.
        train_s: Seconds that all of its training took.
        space: The choices that it drew from.
    """

    teacher: Mapping[str, Any]
    trials: list[Trial]
    failed: int
    wall_s: float
    train_s: float
    space: Mapping[str, Any]


def run_plain(reference: Any, trials: int, seed: int, folder: Path) -> Side:
    """Run ``plain_loop.py`` in a fresh process.

    Raises:
        SideFailed: It failed as a whole.
    """
    name = reference if isinstance(reference, str) else json.dumps(reference)
    program = str(Path(__file__).with_name("plain_loop.py"))
    command = [sys.executable, program, "--workload", name, "--out", str(folder / "plain")]
    begun, ended = _run([*command, "--trials", str(trials), "--seed", str(seed)], folder)
    document = json.loads((folder / "plain" / "results.json").read_text())
    done = [entry for entry in document["trials"] if "failure" not in entry]
    found = [
        Trial(
            entry["trial"],
            document["began"] + entry["wall_s"] - begun,
            entry["train_s"],
            entry["accuracy"],
            entry["speedup"],
            {"side": "plain", "folder": entry["folder"], "configuration": entry["configuration"]},
        )
        for entry in done
    ]
    teacher = {"side": "plain", "folder": str(folder / "plain" / "teacher"), "configuration": FULL}
    failed = len(document["trials"]) - len(done)
    trained = max([document["teacher"]["train_s"], *(entry["train_s"] for entry in document["trials"])])
    return Side(teacher, found, failed, ended - begun, trained, document["choices"])


def run_ours(reference: Any, trials: int, seed: int, folder: Path) -> Side:
    """Run ``frontrunner search`` in a fresh process, with a home of its own and default settings.

    Raises:
        SideFailed: It failed as a whole.
    """
    program, home = str(Path(sys.executable).with_name("frontrunner")), folder / "home"
    request = folder / "study.yaml"
    request.write_text(yaml.safe_dump({"study": STUDY, "workload": reference, "trials": trials, "seed": seed}))
    begun, ended = _run([program, "search", str(request), "--home", str(home)], folder)
    shown = folder / "front.json"
    _run([program, "front", STUDY, "--all", "--json", "--home", str(home)], folder, shown)
    document = json.loads(shown.read_text())
    stages = _Stages(home / "stages")
    study = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{home / 'studies.db'}")
    known = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    found = []
    for entry in document["all"]:
        end = known[entry["trial"]].datetime_complete
        if entry["state"] != "complete" or end is None:
            continue
        when = end.timestamp()
        figures = entry["searched"] or entry["measurement"]
        lowered = known[entry["trial"]].user_attrs["stages"]["lowering"]
        member = {"side": "ours", "folder": stages.folder(lowered), "configuration": entry["configuration"]}
        accuracy, speedup = figures["accuracy"], figures["speedup"]
        found.append(Trial(entry["trial"], when - begun, stages.trained_by(when), accuracy, speedup, member))
    found.sort(key=lambda trial: trial.wall_s)
    teacher = next((trial.member for trial in found if trial.number == 0), None)
    if teacher is None:
        raise SideFailed("the search of frontrunner has no baseline")
    failed = len(document["all"]) - len(found)
    space = study.user_attrs["settings"]["space"]
    return Side(teacher, found, failed, ended - begun, stages.trained_by(ended), space)


class _Stages:
    """The manifests of a stage store, read as the JSON that they are."""

    def __init__(self, root: Path) -> None:
        self._found: dict[str, tuple[Path, Mapping[str, Any]]] = {}
        for path in root.rglob("manifest.json"):
            document = json.loads(path.read_text())
            manifest = document.get("manifest", document)
            self._found[manifest["key"]] = (path, manifest)

    def folder(self, key: str) -> str:
        """Where the files of a stage lie; where it is gone, a folder that is not there."""
        return str(self._found[key][0].parent / "files") if key in self._found else f"no longer in the store: {key}"

    def trained_by(self, when: float) -> float:
        """Seconds of all training that was done by the time ``when``, stages of several workers as often as that.

        The teacher's calls for it are among them.
        """
        return sum(
            self._seconds(manifest)
            for _, manifest in self._found.values()
            if manifest["made"] <= when and manifest["origin"]["stage"] in ("teacher", "soft_targets", "training")
        )

    def _seconds(self, manifest: Mapping[str, Any]) -> float:
        """The stage's own: what it carries is that of a whole candidate, its parent's included."""
        result, origin = manifest["result"], manifest["origin"]
        if origin["stage"] == "teacher":
            return float(result["teacher_seconds"])
        if origin["stage"] == "soft_targets":
            return float(manifest["seconds"])
        _, parent = self._found.get(origin["inputs"]["parent"], (None, {}))
        before = parent.get("result", {}).get("train_seconds", 0.0)
        return float(result["train_seconds"] - before) * int(origin["settings"].get("workers", 1))


def _run(command: list[str], folder: Path, output: Path | None = None) -> tuple[float, float]:
    """Run a command to its end; when it began and ended. What it says goes to files in ``folder``."""
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if name != "FRONTRUNNER_HOME"}
    with open(log, "ab") as errors, open(output or log, "ab") as out:
        begun = time.time()
        code = subprocess.run(command, stdout=out, stderr=errors, cwd=folder, env=environment, check=False).returncode
        ended = time.time()
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise SideFailed(f"`{' '.join(command)}` ended with {code}: {lines[-1] if lines else 'it said nothing'}")
    return begun, ended
