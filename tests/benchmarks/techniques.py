"""What each technique gives alone, and with the partner that suits it best: speed, size, accuracy and seconds.

    python tests/benchmarks/techniques.py                                      digits, a table; an hour on two cores
    python tests/benchmarks/techniques.py --workload cifar10-small --data DIR  ResNet-18 on a folder of images
    python tests/benchmarks/techniques.py --row "half the blocks removed"      one row of it, more of them if repeated
    python tests/benchmarks/techniques.py --keep FOLDER                        goes on with the stages kept in FOLDER
    python tests/benchmarks/techniques.py --json                               one JSON document on stdout

Each row is one setting of a technique, trained, lowered and measured by the stages of a search, and timed in pairs with
the baseline. Its partners are those of `parts.technique_rows`. The best one is that with which it is fastest among
those that lose at most one accuracy point on validation data; where all lose more, that which loses least. The seconds
are those of all stages, each counted in the first row that needs it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parts.technique_rows import PARTNERS, ROWS, Setting

from runners.chains.chain import Chains
from runners.executors.local import LocalRunner
from runners.machine.telemetry import disable_telemetry
from runners.measuring.measurement import figures_of
from runners.runner import StageFailed, StageTask
from spaces.errors import RequestError
from spaces.space_document import make_space

POINT = 0.01
"""An accuracy point, which the best partner may lose."""


@dataclass(frozen=True)
class Figures:
    """What came of one setting, with a partner or without.

    Attributes:
        speedup: Over the baseline, from pairs.
        speedup_ci95: Its interval.
        stored_mib: Of the file in which the artifact is stored.
        accuracy: On the validation split.
        accuracy_test: On the test split; None where there is none.
        seconds: What its stages took now.
        unstable: Why the speed is not to be trusted, or empty.
    """

    speedup: float
    speedup_ci95: tuple[float, float]
    stored_mib: float
    accuracy: float
    accuracy_test: float | None
    seconds: float
    unstable: str


class Bench:
    """Carries out settings on one workload.

    Args:
        workload: A reference.
        folder: Of the stages.
    """

    def __init__(self, workload: Any, folder: Path) -> None:
        self._workload, self._runner = workload, LocalRunner(folder)
        used = [*ROWS.values(), *PARTNERS.values()]
        choices = {name: list({row[name]: None for row in used if name in row}) for row in used for name in row}
        self._environment, self._facts = self._runner.inspect(workload, choices)

    def figures(self, setting: Setting) -> Figures:
        """The figures of one setting.

        Raises:
            RequestError: It cannot run here.
            StageFailed: It failed.
        """
        space = make_space({name: [value] for name, value in setting.items()}, self._environment)
        chains = Chains(space, self._facts, self._workload, seed=0)
        configuration = next(space.configurations())
        *stages, _ = chains.chain(configuration)
        seconds = sum(self._run(task)[1] for task in stages)
        result, measuring_s = self._run(chains.final(configuration, 0))
        found = figures_of(result)
        stored = found.get("stored_mib") or found["size_mib"]
        return Figures(
            found["speedup"],
            tuple(found["speedup_ci95"]),
            stored,
            found["accuracy"],
            found.get("accuracy_test"),
            round(seconds + measuring_s, 1),
            found["unstable"],
        )

    def _run(self, task: StageTask) -> tuple[Mapping[str, Any], float]:
        self._runner.submit(task)
        ((_, outcome),) = self._runner.wait(0.0)
        if outcome.failure:
            raise StageFailed(outcome.failure)
        return outcome.result, outcome.seconds


def rows_of(bench: Bench, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of the table as soon as they are known; the first one is the baseline."""
    baseline = bench.figures({})
    yield {"row": "the baseline", "alone": asdict(baseline)}
    for name in wanted:
        row: dict[str, Any] = {"row": name}
        try:
            row["alone"] = asdict(bench.figures(ROWS[name]))
        except (RequestError, StageFailed) as error:
            yield {**row, "reason": str(error)}
            continue
        yield {**row, **_best_pair(bench, ROWS[name], baseline.accuracy)}


def _best_pair(bench: Bench, setting: Setting, accuracy: float) -> dict[str, Any]:
    pairs: dict[str, Figures] = {}
    for partner, others in PARTNERS.items():
        if set(others) & set(setting):
            continue
        try:
            pairs[partner] = bench.figures({**setting, **others})
        except (RequestError, StageFailed) as error:
            print(f"{setting} with {partner}: {error}", file=sys.stderr)
    if not pairs:
        return {}
    good = [name for name, found in pairs.items() if found.accuracy >= accuracy - POINT]
    best = max(good, key=lambda name: pairs[name].speedup) if good else max(pairs, key=lambda n: pairs[n].accuracy)
    return {"partner": best, "with_partner": asdict(pairs[best])}


def as_text(row: Mapping[str, Any]) -> str:
    """A row, with its best partner in a line below."""
    if "reason" in row:
        return f"{row['row']:38} {row['reason']}"
    lines = [f"{row['row']:38} {_numbers(row['alone'])}"]
    if "partner" in row:
        lines.append(f"{'  with ' + row['partner']:38} {_numbers(row['with_partner'])}")
    return "\n".join(lines)


def _numbers(found: Mapping[str, Any]) -> str:
    low, high = found["speedup_ci95"]
    test = "-" if found["accuracy_test"] is None else f"{found['accuracy_test']:.3f}"
    speed = f"{'!' if found['unstable'] else ' '}{found['speedup']:6.2f}x ({low:.2f}-{high:.2f})"
    return f"{speed:24} {found['stored_mib']:8.3f} MiB  {found['accuracy']:.3f} {test:>6} {found['seconds']:7.1f} s"


def main() -> None:
    """Read the flags, carry out the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="digits", help="how frontrunner refers to it, or cifar10-small")
    parser.add_argument("--data", help="the folder of images of cifar10-small")
    names = ", ".join(ROWS).replace("%", "%%")
    parser.add_argument("--row", action="append", choices=[*ROWS], metavar="ROW", help=names)
    parser.add_argument("--keep", type=Path, help="a folder for the stages; what it has is not computed again")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    disable_telemetry()
    workload: Any = given.workload
    if workload == "cifar10-small":
        if given.data is None:
            parser.error("--workload cifar10-small: give its folder of images as --data DIR")
        workload = {"model": "torchvision:resnet18", "data": {"imagefolder": str(Path(given.data).absolute())}}
    out, rows = sys.stderr if given.json else sys.stdout, []
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(workload, (given.keep or Path(temporary)).absolute())
        print(f"{'':38} {'speed':24} {'stored':>12}  {'valid.':>5} {'test':>6} {'time':>9}", file=out)
        for row in rows_of(bench, given.row or [*ROWS]):
            rows.append(row)
            print(as_text(row), file=out, flush=True)
    if given.json:
        print(json.dumps({"workload": given.workload, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
