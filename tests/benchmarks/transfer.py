"""What weights from other data are worth: each way of fine-tuning them beside a training from new weights.

    python tests/benchmarks/transfer.py --data DIR --model timm:efficientnet_lite0 --weights FILE
    python tests/benchmarks/transfer.py ... --images 2000 --epochs 4 --keep FOLDER

DIR has train, val and test with a folder for each class; FILE is a state dict of the model for other classes. The
teacher is the model fine-tuned as a whole. Each row is trained as long, by the stages of a search, on the first of the
training images of each class, and judged on all validation and test images. Gains are over new weights, in points, with
the 95 % interval of the paired difference.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parts.few_images import first_images
from parts.technique_bench import Built, TechniqueBench
from parts.technique_rows import Setting

from runners.machine.telemetry import disable_telemetry
from runners.quality.paired_difference import difference_ci95

SPLITS = {"validation": "accuracy", "test": "accuracy_test"}
NEW = "new weights"


def rows_of(model: str) -> dict[str, Setting]:
    """The settings by the name of the row; ``model`` is that of the workload."""
    return {
        NEW: {"student": model.removeprefix("torchvision:")},
        "all of it trained": {"transfer": True},
        "rate falling by 0.8 a block": {"transfer": True, "layer_decay": 0.8},
        "rate falling by 0.6 a block": {"transfer": True, "layer_decay": 0.6},
        "the half next to the head trained": {"transfer": True, "trainable": 0.5},
        "the head alone trained": {"transfer": True, "trainable": 0.0},
    }


def measure(bench: TechniqueBench, rows: dict[str, Setting]) -> Iterator[dict[str, Any]]:
    """A row for each setting, the first of which the others are compared with."""
    reference: Built | None = None
    for name, setting in rows.items():
        print(name, file=sys.stderr, flush=True)
        built = bench.build(setting)
        reference = reference or built
        row: dict[str, Any] = {"row": name, "seconds": round(built.seconds, 1)}
        for split, figure in SPLITS.items():
            low, high = difference_ci95(built.answers[split], reference.answers[split])
            ours, theirs = getattr(built, figure), getattr(reference, figure)
            row[split] = {"accuracy": ours, "gain": ours - theirs, "gain_ci95": [low, high]}
        yield row


def as_markdown(row: dict[str, Any]) -> str:
    """A row of the table."""
    cells = [row["row"]]
    for split in SPLITS:
        found = row[split]
        low, high = (100 * end for end in found["gain_ci95"])
        gain = "" if row["row"] == NEW else f" ({100 * found['gain']:+.1f}, {low:.1f} to {high:.1f})"
        cells.append(f"{found['accuracy']:.1%}{gain}")
    return f"| {' | '.join([*cells, format(row['seconds'], '.0f')])} |"


def main() -> None:
    """Read the flags, carry out the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train, val and test")
    parser.add_argument("--model", default="timm:efficientnet_lite0", help="as in a study file")
    parser.add_argument("--weights", type=Path, required=True, help="its state dict for other classes")
    parser.add_argument("--images", type=int, default=1000, help="training images")
    parser.add_argument("--image-size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--epochs", type=int, default=4, help="of each training")
    parser.add_argument("--learning-rate", type=float, default=0.02, help="peak of the schedule")
    parser.add_argument("--keep", type=Path, help="a folder for the stages; what it has is not computed again")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    disable_telemetry()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).absolute()
        data = first_images(given.data, folder / f"images-{given.images}", given.images)
        workload = {
            "model": given.model,
            "data": {"imagefolder": str(data)},
            "weights": str(given.weights.absolute()),
            "new_head": True,
            "image_size": given.image_size,
            "epochs": given.epochs,
            "batch_size": 32,
            "learning_rate": given.learning_rate,
        }
        settings = rows_of(given.model)
        bench = TechniqueBench(workload, settings.values(), folder / "stages")
        for row in measure(bench, settings):
            rows.append(row)
            if not given.json:
                print(as_markdown(row), flush=True)
    if given.json:
        print(json.dumps({"images": given.images, "epochs": given.epochs, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
