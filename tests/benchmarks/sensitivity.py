"""What int8 loses on a small network with depthwise convolutions, and what brings it back.

    python tests/benchmarks/sensitivity.py --data DIR [--home DIR] [--json]

DIR has train, val and test with a folder for each class, as cifar10-small. The network is trained from nothing. Then it
is lowered to both ONNX runtimes: in fp32; in int8 after training; with shares of the most sensitive layers in floating
point; and tuned with quantisers for 1 and 2 epochs. Accuracy is that of the artifact on the validation images, which
neither calibration nor training sees; the interval is that of the paired difference from the network in fp32. Speedups
are measured in pairs with the network in eager mode, as a search measures them. Stages that are done are not repeated
with the same --home: ended early, it goes on where it was.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

EPOCHS = 6
RUNTIMES = ("onnxruntime", "openvino")
CANDIDATES: dict[str, dict[str, Any]] = {
    "fp32": {"numeric_precision": "fp32"},
    "int8": {},
    "int8, a tenth of the layers in float": {"float_share": 0.1},
    "int8, a quarter of the layers in float": {"float_share": 0.25},
    "int8, half of the layers in float": {"float_share": 0.5},
    "int8, tuned for 1 epoch": {"quantisation_aware_epochs": 1},
    "int8, tuned for 2 epochs": {"quantisation_aware_epochs": 2},
}
"""What each row chooses beside int8 and the runtime."""
SHOWN = ("accuracy", "drop", "drop_ci95", "speedup", "speedup_ci95", "size_mib")


class Inverted(nn.Module):
    """An inverted residual block (Sandler et al., arXiv 1801.04381)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 4) -> None:
        super().__init__()
        inside = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *_layer(inputs, inside, 1),
            *_layer(inside, inside, 3, stride=stride, groups=inside),
            nn.Conv2d(inside, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Any) -> Any:
        return x + self.layers(x) if self.adds else self.layers(x)


def depthwise(num_classes: int) -> nn.Module:
    """A small MobileNetV2 for images of 32x32."""
    shape = ((16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1), (40, 64, 1))
    blocks = (Inverted(*each) for each in shape)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(160, num_classes)
    return nn.Sequential(*_layer(3, 16, 3), *blocks, *_layer(64, 160, 1), *pooled)


def _layer(inputs: int, outputs: int, size: int, **options: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False, **options)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU6(inplace=True)


def measure(data: Path, home: Path) -> Iterator[dict[str, Any]]:
    """A row for each candidate, with the fields of `SHOWN`, or the reason why there is none under ``failed``."""
    from runners.chains.chain import Chains
    from runners.executors.inspection import inspect_on_this_machine
    from runners.quality.answers import answers_of_stage
    from runners.quality.paired_difference import difference_ci95
    from runners.stages.run import run_stage
    from runners.store.folder_store import FolderStore
    from spaces.configuration import Configuration
    from spaces.space_document import make_space

    workload = {"model": f"{Path(__file__).resolve()}:depthwise", "data": {"imagefolder": str(data)}, "epochs": EPOCHS}
    names = {name for chosen in CANDIDATES.values() for name in chosen} - {"numeric_precision"}
    choices = {name: [each[name] for each in CANDIDATES.values() if name in each] for name in names}
    environment, facts = inspect_on_this_machine(workload)
    space = make_space({**choices, "numeric_precision": ["fp32", "int8"], "runtime": ["eager", *RUNTIMES]}, environment)
    chains, store = Chains(space, facts, workload, seed=0), FolderStore(home)

    def result_of(configuration: Configuration) -> tuple[Any, str | None]:
        for task in chains.chain(configuration):
            print(f"  {task.stage}", file=sys.stderr, flush=True)
            outcome = run_stage(task, store)
            if outcome.failure:
                return {}, outcome.failure
        return outcome.result, None

    teacher, failed = result_of(space.baseline())
    if failed:
        raise SystemExit(failed)
    reference = answers_of_stage(teacher)["validation"]
    yield {"candidate": "eager fp32", "accuracy": teacher["accuracy"], "size_mib": teacher["size_mib"]}
    for name, chosen in CANDIDATES.items():
        for runtime in RUNTIMES:
            print(f"{name}, {runtime}", file=sys.stderr, flush=True)
            row: dict[str, Any] = {"candidate": name, "runtime": runtime}
            point = {"numeric_precision": "int8", "runtime": runtime, **chosen}
            result, failed = result_of(Configuration({**space.baseline(), **point}))
            if failed:
                yield {**row, "failed": failed}
                continue
            row |= {key: result[key] for key in SHOWN if key in result}
            row["drop"] = teacher["accuracy"] - result["accuracy"]
            row["drop_ci95"] = difference_ci95(reference, answers_of_stage(result)["validation"])
            yield row


def _line(row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"{row['candidate']:40} {row['runtime']:12} {row['failed']}"
    found = f"{row['candidate']:40} {row.get('runtime', ''):12} {100 * row['accuracy']:5.2f} %"
    if "drop" in row:
        low, high = row["drop_ci95"]
        speed = row["speedup"], *row["speedup_ci95"]
        found += f"  drop {100 * row['drop']:5.2f} ({100 * low:.2f} to {100 * high:.2f})"
        found += "  {:5.2f}x ({:.2f} to {:.2f})".format(*speed)
    return f"{found}  {row['size_mib']:.3f} MiB"


def main() -> None:
    """Run it."""
    from runners.machine.telemetry import disable_telemetry

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train, val and test")
    parser.add_argument("--home", type=Path, help="where results of stages are kept; by default nowhere")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    wanted = parser.parse_args()
    disable_telemetry()
    with tempfile.TemporaryDirectory() as nowhere:
        rows = []
        for row in measure(wanted.data.resolve(), wanted.home or Path(nowhere)):
            rows.append(row)
            if not wanted.json:
                print(_line(row), flush=True)
    if wanted.json:
        print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
