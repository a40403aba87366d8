"""What each choice that changes which layers a network has does to accuracy and speed.

    python tests/benchmarks/architecture.py [--data DIR] [--home DIR] [--json] [--only TEXT]

Without DIR it is the workload digits. With DIR, which has train, val and test with a folder for each class as
cifar10-small, it is a ResNet-14 for images of 32x32 that is trained from nothing. Each candidate is trained as the
workload's plan says, students and pruned networks alike, distilled from the teacher. Accuracy is that of the artifact
on the validation images, and the interval is that of the paired difference from the teacher. Speedups are measured in
interleaved pairs with the unchanged network in eager mode, as a search measures them: the row of the unchanged network
in the same runtime says what the runtime alone does. Stages that are done are not repeated with the same --home.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn

EPOCHS = 8
RUNTIMES = ("eager", "onnxruntime")
CANDIDATES: dict[str, dict[str, Any]] = {
    "unchanged": {},
    "half of the blocks removed": {"block_pruning": 0.5},
    "a student of half of the blocks": {"student_depth": 0.5},
    "half of the resolution": {"input_resolution": 0.5},
    "80 % of the energy": {"low_rank": 0.8},
    "three quarters of the resolution": {"input_resolution": 0.75},
    "60 % of the energy": {"low_rank": 0.6},
    "a student of half of the width": {"student_width": 0.5},
    "half of the width and of the blocks": {"student_width": 0.5, "student_depth": 0.5},
    "shufflenet_v2_x0_5": {"student": "shufflenet_v2_x0_5"},
    "shufflenet_v2_x0_5, small stem": {"student": "shufflenet_v2_x0_5", "student_stem": "small"},
    "mobilenet_v3_small, small stem": {"student": "mobilenet_v3_small", "student_stem": "small"},
}
SHOWN = ("accuracy", "speedup", "speedup_ci95", "blocks", "macs", "parameters", "size_mib")


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Any:
        return (self.layers(x) + self.shortcut(x)).relu()


def resnet14(num_classes: int) -> nn.Module:
    """A ResNet for images of 32x32: three stages of two blocks, of 16, 32 and 64 channels."""
    widths = ((16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
    stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    blocks = nn.Sequential(*(Residual(*width) for width in widths))
    return nn.Sequential(*stem, blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


def measure(data: Path | None, home: Path, only: str) -> Iterator[dict[str, Any]]:
    """A row for each candidate, with the fields of `SHOWN`, or the reason why there is none under ``failed``."""
    from runners.chains.chain import Chains
    from runners.executors.inspection import inspect_on_this_machine
    from runners.quality.answers import answers_of_stage
    from runners.quality.paired_difference import difference_ci95
    from runners.stages.run import run_stage
    from runners.store.folder_store import FolderStore
    from spaces.configuration import Configuration
    from spaces.space_document import make_space

    made = {"model": f"{Path(__file__).resolve()}:resnet14", "data": {"imagefolder": str(data)}, "epochs": EPOCHS}
    workload = "digits" if data is None else made
    names = {name for chosen in CANDIDATES.values() for name in chosen}
    choices = {name: [each[name] for each in CANDIDATES.values() if name in each] for name in names}
    environment, facts = inspect_on_this_machine(workload, {})
    offered = {**choices, "distillation_weight": [0.0, 0.5], "distillation_temperature": [2.0]}
    space = make_space({**offered, "runtime": [*RUNTIMES]}, environment)
    chains, store = Chains(space, facts, workload, seed=0), FolderStore(home)

    def result_of(configuration: Configuration) -> tuple[Any, str | None]:
        for task in chains.chain(configuration):
            outcome = run_stage(task, store)
            if outcome.failure:
                return {}, outcome.failure
        return outcome.result, None

    teacher, failed = result_of(space.baseline())
    if failed:
        raise SystemExit(failed)
    reference = answers_of_stage(teacher)["validation"]
    for name, chosen in CANDIDATES.items():
        for runtime in RUNTIMES if only in name else ():
            distilled = {"distillation_weight": 0.5, "distillation_temperature": 2.0} if chosen else {}
            point = {**space.baseline(), "runtime": runtime, **distilled, **chosen}
            result, failed = result_of(Configuration(point))
            row: dict[str, Any] = {"candidate": name, "runtime": runtime}
            if failed:
                yield {**row, "failed": failed}
                continue
            row |= {key: result[key] for key in SHOWN if key in result}
            row["drop"] = teacher["accuracy"] - result["accuracy"]
            yield {**row, "drop_ci95": difference_ci95(reference, answers_of_stage(result)["validation"])}


def _line(row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"{row['candidate']:36} {row['runtime']:12} {row['failed']}"
    low, high = row["drop_ci95"]
    speed = row.get("speedup", 1.0), *row.get("speedup_ci95", (1.0, 1.0))
    return (
        f"{row['candidate']:36} {row['runtime']:12} {100 * row['accuracy']:6.2f} %"
        f"  drop {100 * row['drop']:5.2f} ({100 * low:.2f} to {100 * high:.2f})"
        "  {:5.2f}x ({:.2f} to {:.2f})".format(*speed)
        + f"  {row['macs'] / 1e6:.2f} MMAC"
    )


def main() -> None:
    """Run it."""
    from runners.machine.telemetry import disable_telemetry

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train, val and test; by default the workload digits")
    parser.add_argument("--home", type=Path, help="where results of stages are kept; by default nowhere")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", default="", help="candidates whose name has this in it")
    wanted = parser.parse_args()
    disable_telemetry()
    with tempfile.TemporaryDirectory() as nowhere:
        rows = []
        for row in measure(wanted.data and wanted.data.resolve(), wanted.home or Path(nowhere), wanted.only):
            rows.append(row)
            print(_line(row), file=sys.stderr if wanted.json else sys.stdout, flush=True)
    if wanted.json:
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
