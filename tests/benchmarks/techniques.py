"""What each technique gives alone, and with the partner that suits it best: speed, size, accuracy and seconds.

    python tests/benchmarks/techniques.py                                      digits, most of an hour on two cores
    python tests/benchmarks/techniques.py --workload cifar10-small --data DIR  ResNet-18 on a folder of images
    python tests/benchmarks/techniques.py --epochs 3                           what changed is trained for three epochs
    python tests/benchmarks/techniques.py --row "half the blocks removed"      one row of it, more of them if repeated
    python tests/benchmarks/techniques.py --keep FOLDER                        goes on with the stages kept in FOLDER
    python tests/benchmarks/techniques.py --json                               one JSON document on stdout

Each row is one setting of a technique, trained, lowered and evaluated by the stages of a search. Then all are timed in
turn with the baseline, up to 24 in one process, in four processes; the interval is Student's of their mean. The
partners of a row are those of `parts.technique_rows`. The best one is that with which it is fastest among those that
lose at most one accuracy point on validation data; where all lose more, that which loses least. The seconds are those
of the stages from the trained teacher to the artifact, when they were computed; stages that rows share count in each.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parts.few_images import first_images
from parts.technique_bench import Built, TechniqueBench
from parts.technique_rows import ROWS, Setting, partners_of

from runners.machine.telemetry import disable_telemetry
from runners.measuring.contrasts import Contrast
from runners.runner import StageFailed
from spaces.errors import RequestError

POINT = 0.01
"""An accuracy point, which the best partner may lose."""
TEACHER = "the network as given"
HEAD = ("technique", "speed", "stored MiB", "validation", "test", "seconds")
PARTNER_HEAD = ("best partner", *HEAD[1:])
Cell = tuple[str, str]
"""A row, and its partner or nothing."""


def settings_of(wanted: Sequence[str], epochs: int | None) -> dict[Cell, Setting]:
    """The settings of the ``wanted`` rows, alone and with each partner.

    Args:
        wanted: Names of rows.
        epochs: Of each training of a changed network; None is as many as the workload's plan has.
    """
    trained: Setting = {} if epochs is None else {"training_epochs": epochs}
    alone = {(row, ""): {**trained, **ROWS[row]} for row in wanted}
    return alone | {
        (row, name): {**other, **alone[row, ""]} for row in wanted for name, other in partners_of(row).items()
    }


def build_all(bench: TechniqueBench, settings: Mapping[Cell, Setting]) -> tuple[dict[Cell, Built], dict[Cell, str]]:
    """What can be built of ``settings``, with the teacher, and why the others cannot."""
    built, reasons = {(TEACHER, ""): bench.build({})}, dict[Cell, str]()
    for cell, setting in settings.items():
        name = " with ".join(filter(None, cell))
        try:
            built[cell] = bench.build(setting)
            print(f"{name}: {built[cell].accuracy:.4f}, {built[cell].seconds:.0f} s", file=sys.stderr, flush=True)
        except (RequestError, StageFailed) as error:
            reasons[cell] = str(error)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    return built, reasons


def rows_of(bench: TechniqueBench, settings: Mapping[Cell, Setting]) -> Iterator[dict[str, Any]]:
    """The rows of the table; the first one is the baseline."""
    built, reasons = build_all(bench, settings)
    speeds = bench.speedups({" with ".join(filter(None, cell)): one for cell, one in built.items() if any(cell)})
    figures = {cell: _figures(one, speeds[" with ".join(filter(None, cell))]) for cell, one in built.items()}
    yield {"row": TEACHER, "alone": figures[TEACHER, ""]}
    for row in dict.fromkeys(row for row, _ in settings):
        if reason := reasons.get((row, "")):
            yield {"row": row, "reason": reason}
            continue
        pairs = {partner: figures[row, partner] for partner in partners_of(row) if (row, partner) in figures}
        yield {"row": row, "alone": figures[row, ""], **_best(pairs, built[TEACHER, ""].accuracy)}


def _figures(built: Built, speed: Contrast) -> dict[str, Any]:
    kept = {name: getattr(built, name) for name in ("accuracy", "accuracy_test", "stored_mib", "macs")}
    timed = {"speedup": speed.value, "speedup_ci95": list(speed.ci95), "unstable": speed.unstable}
    return {**timed, **kept, "seconds": round(built.seconds, 1)}


def _best(pairs: Mapping[str, Mapping[str, Any]], accuracy: float) -> dict[str, Any]:
    if not pairs:
        return {}
    good = [name for name, found in pairs.items() if found["accuracy"] >= accuracy - POINT]
    best = max(good, key=lambda n: pairs[n]["speedup"]) if good else max(pairs, key=lambda n: pairs[n]["accuracy"])
    return {"partner": best, "with_partner": pairs[best]}


def as_markdown(row: Mapping[str, Any]) -> str:
    """A row of the table."""
    if "reason" in row:
        return f"| {row['row']} | {row['reason']} |{' |' * (len(HEAD) + len(PARTNER_HEAD) - 2)}"
    other = [row["partner"], *_cells(row["with_partner"])] if "partner" in row else [""] * len(PARTNER_HEAD)
    return f"| {' | '.join([row['row'], *_cells(row['alone']), *other])} |"


def _cells(found: Mapping[str, Any]) -> list[str]:
    low, high = found["speedup_ci95"]
    test = "-" if found["accuracy_test"] is None else f"{found['accuracy_test']:.1%}"
    speed = f"{found['speedup']:.2f}x ({low:.2f}-{high:.2f}){' unstable' if found['unstable'] else ''}"
    return [speed, f"{found['stored_mib']:.3f}", f"{found['accuracy']:.1%}", test, f"{found['seconds']:.0f}"]


def _workload(given: argparse.Namespace, folder: Path) -> Any:
    if given.workload != "cifar10-small":
        return given.workload
    data = given.data
    if given.images is not None:
        data = first_images(data, folder / f"images-{given.images}", given.images)
    plan = {"epochs": given.epochs or 4, "batch_size": 64, "learning_rate": 0.1}
    return {"model": "torchvision:resnet18", "data": {"imagefolder": str(data.absolute())}, **plan}


def main() -> None:
    """Read the flags, carry out the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="digits", help="how frontrunner refers to it, or cifar10-small")
    parser.add_argument("--data", type=Path, help="the folder of images of cifar10-small")
    parser.add_argument("--images", type=int, help="training images of cifar10-small; by default all")
    parser.add_argument("--epochs", type=int, help="of each training of a changed network, and of ResNet-18")
    names = ", ".join(ROWS).replace("%", "%%")
    parser.add_argument("--row", action="append", choices=[*ROWS], metavar="ROW", help=names)
    parser.add_argument("--keep", type=Path, help="a folder for the stages; what it has is not computed again")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    disable_telemetry()
    if given.workload == "cifar10-small" and given.data is None:
        parser.error("--workload cifar10-small: give its folder of images as --data DIR")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        settings = settings_of(given.row or [*ROWS], given.epochs)
        folder = (given.keep or Path(temporary)).absolute()
        bench = TechniqueBench(_workload(given, folder), settings.values(), folder / "stages")
        if not given.json:
            print(f"| {' | '.join([*HEAD, *PARTNER_HEAD])} |\n|{'---|' * (len(HEAD) + len(PARTNER_HEAD))}")
        for row in rows_of(bench, settings):
            rows.append(row)
            if not given.json:
                print(as_markdown(row), flush=True)
    if given.json:
        print(json.dumps({"workload": given.workload, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
