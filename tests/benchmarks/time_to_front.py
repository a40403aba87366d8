"""How long it takes to a front: `frontrunner search` against a plain loop of Optuna and Ray, both from nothing.

    python tests/benchmarks/time_to_front.py --workload digits --seeds 3            a table
    python tests/benchmarks/time_to_front.py --workload digits --seeds 3 --json     one JSON document on stdout
    python tests/benchmarks/time_to_front.py --workload cifar10-small --data DIR    ResNet-18 on a folder of images

Either side is a fresh process with nothing on disk; its wall time holds the start of Python and of Ray, and the
training of the teacher, which also counts among the training seconds of both. ``plain_loop.py`` says what the plain
loop does. Then everything that was ever on a side's front, as that side saw it, is measured anew on equal terms
(``side_by_side.py``), in two fresh processes for each side, taken in turn. A side's front at a moment is what it would
have chosen by its own figures; its hypervolume comes from the new ones, so that nobody profits from lucky timings. The
better of the two teachers gives the reference accuracy to both.

``wall_ratio`` is the time at which the plain loop first had its final hypervolume over the time at which
frontrunner had that same hypervolume: above 1, frontrunner was faster; null where it never had it. ``on_test`` holds
the same figures with accuracies from the test split, which neither side has seen, and ``to_99_percent`` the ratios for
99 % of that hypervolume.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from side_by_side import SPLITS, combine, judge
from two_sides import Side, SideFailed, Trial, run_ours, run_plain

from runners.machine.telemetry import disable_telemetry
from search.objectives.loss_table import losses
from search.objectives.objective import find_objectives
from search.objectives.pareto_front import hypervolume, nondominated

SIDES: dict[str, Callable[[Any, int, int, Path], Side]] = {"ours": run_ours, "plain": run_plain}
TRIALS = {"digits": 24, "synthetic": 12, "cifar10-small": 18}
PLAIN_TRIALS = {**TRIALS, "digits": 40}
"""Of the plain loop: as many as it takes it to settle where a trial is short."""
SEEDS = {"digits": 3, "synthetic": 3, "cifar10-small": 1}
PROCESSES = 2
OBJECTIVES = find_objectives(("accuracy", "speedup"))
Judged = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class Moment:
    """A side's front when a trial had ended, in the figures measured anew."""

    wall_s: float
    train_s: float
    hypervolume: float


def fronts(trials: Sequence[Trial]) -> list[list[int]]:
    """Numbers of the trials on the front, as the side itself saw it, after each of ``trials``."""
    seen: list[list[int]] = []
    for count in range(1, len(trials) + 1):
        points = np.array([[-trial.accuracy, -trial.speedup] for trial in trials[:count]])
        seen.append([trial.number for trial, kept in zip(trials, nondominated(points), strict=False) if kept])
    return seen


def judge_sides(reference: Any, sides: Mapping[str, Side], seed: int, budget_s: float) -> dict[str, Judged]:
    """New figures by trial number for every trial that was ever on a front, and under -1 for the teacher."""
    ever = {name: sorted({n for front in fronts(side.trials) for n in front}) for name, side in sides.items()}
    runs: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in sides}
    for process in range(PROCESSES):
        for name in list(sides)[:: 1 if process % 2 == 0 else -1]:
            known = {trial.number: trial.member for trial in sides[name].trials}
            members = [sides[name].teacher, *(known[number] for number in ever[name])]
            runs[name].append(judge(reference, members, seed + process, budget_s))
    return {name: dict(zip([-1, *ever[name]], combine(runs[name]), strict=True)) for name in sides}


def curve(side: Side, judged: Judged, teacher: float, split: str) -> list[Moment]:
    """The side's front over time; ``teacher`` is the reference accuracy on ``split``."""
    return [
        Moment(trial.wall_s, trial.train_s, _volume([judged[number] for number in front], teacher, split))
        for trial, front in zip(side.trials, fronts(side.trials), strict=True)
    ]


def _volume(figures: Sequence[Mapping[str, Any]], teacher: float, split: str) -> float:
    reference = {"accuracy": teacher, "speedup": 1.0}
    points = [
        losses(OBJECTIVES, {"accuracy": each[split], "speedup": each["speedup"]}, reference)
        for each in figures
        if "failure" not in each
    ]
    return hypervolume(np.array(points).reshape(-1, len(OBJECTIVES)))


def compare(curves: Mapping[str, Sequence[Moment]], share: float = 1.0) -> dict[str, Any]:
    """When either side first had ``share`` of the plain loop's final hypervolume, and the ratios; None for never."""
    level = share * curves["plain"][-1].hypervolume if curves["plain"] else 0.0
    reached = {name: next((m for m in moments if m.hypervolume >= level > 0), None) for name, moments in curves.items()}
    ours, plain = reached["ours"], reached["plain"]
    return {
        "wall_ratio": plain.wall_s / ours.wall_s if plain and ours else None,
        "train_seconds_ratio": plain.train_s / ours.train_s if plain and ours and ours.train_s else None,
        "reached": {name: asdict(moment) if moment else None for name, moment in reached.items()},
        **{f"hypervolume_{name}": moments[-1].hypervolume if moments else 0.0 for name, moments in curves.items()},
    }


def one_seed(reference: Any, trials: Mapping[str, int], seed: int, budget_s: float, folder: Path) -> dict[str, Any]:
    """Run both sides with one seed, whichever comes first in turn, and compare them.

    Raises:
        SideFailed: A side ended without a result.
    """
    sides: dict[str, Side] = {}
    for name in list(SIDES)[:: 1 if seed % 2 == 0 else -1]:
        place = folder / f"{name}-{seed}"
        place.mkdir()
        sides[name] = SIDES[name](reference, trials[name], seed, place)
        print(f"seed {seed}: {name} took {sides[name].wall_s:.0f} s", file=sys.stderr, flush=True)
    judged = judge_sides(reference, sides, seed, budget_s)
    found: dict[str, Any] = {"seed": seed}
    for split in SPLITS:
        teacher = max(judged[name][-1].get(split, 0.0) for name in sides)
        curves = {name: curve(sides[name], judged[name], teacher, split) for name in sides}
        found[split] = {
            **compare(curves),
            "to_99_percent": compare(curves, 0.99),
            "teacher": teacher,
            "curves": {name: [asdict(moment) for moment in moments] for name, moments in curves.items()},
        }
    for name, side in sides.items():
        found[name] = {
            "wall_s": side.wall_s,
            "train_s": side.train_s,
            "failed": side.failed,
            "space": side.space,
            "trials": [_shown(trial, judged[name].get(trial.number)) for trial in side.trials],
        }
    return found


def _shown(trial: Trial, judged: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(trial).items() if name != "member"}
    return {**kept, "configuration": trial.member["configuration"], "measured_anew": judged}


def middle(values: Sequence[float | None]) -> float | None:
    """The median, in which never counts as below everything; of two middle ones the lower."""
    ordered = sorted(values, key=lambda value: -1.0 if value is None else value)
    return ordered[(len(ordered) - 1) // 2]


def summarise(seeds: Sequence[Mapping[str, Any]], split: str) -> dict[str, Any]:
    """The four figures over all seeds, with accuracies from ``split``."""
    names = ("wall_ratio", "train_seconds_ratio", "hypervolume_ours", "hypervolume_plain")
    return {name: middle([seed[split][name] for seed in seeds]) for name in names}


def table(document: Mapping[str, Any]) -> str:
    """Rows for people: a line for each seed, then the medians."""
    head = f"{'seed':>6} {'hypervolume':>17} {'reached after':>17} {'wall':>7} {'training':>9} {'whole run':>15}"
    pair = f"{'ours':>8} {'plain':>8}"
    rows = [head, f"{'':6} {pair} {pair} {'ratio':>7} {'ratio':>9} {'ours':>7} {'plain':>7}"]
    for seed in document["seeds"]:
        found, reached = seed["validation"], seed["validation"]["reached"]
        times = [f"{reached[name]['wall_s']:.0f} s" if reached[name] else "never" for name in SIDES]
        whole = [f"{seed[name]['wall_s']:.0f} s" for name in SIDES]
        volumes = [f"{found[f'hypervolume_{name}']:.4f}" for name in SIDES]
        ratios = [_times(found["wall_ratio"]), _times(found["train_seconds_ratio"])]
        rows.append(
            f"{seed['seed']:>6} {volumes[0]:>8} {volumes[1]:>8} {times[0]:>8} {times[1]:>8} {ratios[0]:>7} "
            f"{ratios[1]:>9} {whole[0]:>7} {whole[1]:>7}"
        )
    for label, found in (("median", document), ("on test", document["on_test"])):
        rows.append(
            f"{label}: hypervolume {found['hypervolume_ours']:.4f} against {found['hypervolume_plain']:.4f}; "
            f"wall ratio {_times(found['wall_ratio'])}, training ratio {_times(found['train_seconds_ratio'])}"
        )
    near = document["to_99_percent"]
    rows.append(f"to 99 % of the plain loop's hypervolume: wall ratio {_times(near['wall_ratio'])}")
    return "\n".join([*rows, "a ratio above 1: frontrunner was faster; never: it did not come to that hypervolume"])


def _times(ratio: float | None) -> str:
    return "never" if ratio is None else f"{ratio:.2f}x"


def benchmark(options: argparse.Namespace, reference: Any) -> dict[str, Any]:
    """Run all seeds; the document that ``--json`` prints."""
    trials = {"ours": options.trials, "plain": options.plain_trials}
    with tempfile.TemporaryDirectory(prefix="time-to-front-") as temporary:
        folder = options.keep.absolute() if options.keep else Path(temporary)
        seeds = [one_seed(reference, trials, seed, options.budget, folder) for seed in range(options.seeds)]
    near = [seed["validation"]["to_99_percent"] for seed in seeds]
    names = ("wall_ratio", "train_seconds_ratio")
    return {
        **summarise(seeds, "validation"),
        "on_test": summarise(seeds, "test"),
        "to_99_percent": {name: middle([each[name] for each in near]) for name in names},
        "settings": {
            "workload": reference,
            "trials": trials,
            "seeds": options.seeds,
            "budget_s": options.budget,
            "processes": PROCESSES,
            "teacher_counts": "in the wall and the training seconds of both sides",
            "plain_time": "when it first had its final hypervolume",
        },
        "seeds": seeds,
    }


def read_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> tuple[argparse.Namespace, Any]:
    """The flags, and the workload as frontrunner refers to it; a wrong flag ends the program with 2."""
    parser.add_argument("--workload", choices=list(TRIALS), default="digits")
    parser.add_argument("--data", type=Path, help="folder with train, val and test, for cifar10-small")
    parser.add_argument("--seeds", type=int, help="how many, from 0 on (default: 3, cifar10-small 1)")
    parser.add_argument("--trials", type=int, help=f"of frontrunner (default: {_listed(TRIALS)})")
    parser.add_argument(
        "--plain-trials", type=int, help=f"of the plain loop (default: --trials, else {_listed(PLAIN_TRIALS)})"
    )
    parser.add_argument("--budget", type=float, default=1.0, help="seconds to time a member in each process anew")
    parser.add_argument("--keep", type=Path, help="new folder in which everything stays, logs and artifacts too")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args(arguments)
    options.seeds = SEEDS[options.workload] if options.seeds is None else options.seeds
    if options.plain_trials is None:
        options.plain_trials = PLAIN_TRIALS[options.workload] if options.trials is None else options.trials
    options.trials = TRIALS[options.workload] if options.trials is None else options.trials
    for name in ("seeds", "trials", "plain_trials", "budget"):
        if not getattr(options, name) > 0:
            parser.error(f"--{name.replace('_', '-')} {getattr(options, name)}: give a number above 0")
    if shutil.which("frontrunner", path=str(Path(sys.executable).parent)) is None:
        parser.error(f"there is no frontrunner command beside {sys.executable}; install the project into it")
    reference = _reference(parser, options)
    if options.keep:
        try:
            options.keep.mkdir(parents=True)
        except OSError as error:
            parser.error(f"--keep {options.keep}: cannot be made ({error.strerror}); name a new folder")
    return options, reference


def _listed(trials: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in trials.items())


def _reference(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Any:
    if options.workload != "cifar10-small":
        if options.data:
            parser.error(f"--data is for cifar10-small; {options.workload} brings its own")
        return options.workload
    if options.data is None:
        parser.error("--workload cifar10-small needs --data DIR, the unpacked folder of images")
    missing = [split for split in ("train", "val", "test") if not (options.data / split).is_dir()]
    if missing:
        parser.error(f"--data {options.data}: it has no folder {missing[0]}; give the one with train, val and test")
    return {"model": "torchvision:resnet18", "data": {"imagefolder": str(options.data.absolute())}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with ``--json`` the document; 0 done, 1 a side failed, 2 a flag is wrong."""
    disable_telemetry()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options, reference = read_options(parser, sys.argv[1:] if arguments is None else arguments)
    try:
        document = benchmark(options, reference)
    except (SideFailed, RuntimeError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(document) if options.json else table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
