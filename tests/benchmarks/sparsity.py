"""What sparse weights and shared values cost in accuracy on a workload, and how small they make the stored file.

    python tests/benchmarks/sparsity.py [--workload digits] [--seeds 3] [--home DIR] [--json] [--only TEXT]

Each candidate is trained from each seed, as a search trains it, and its artifact for ONNX Runtime is packed. Accuracy
is that of the trained network on the validation split. A drop is the difference from the teacher of the same seed, in
points; a ratio is the file of the teacher's fp32 weights over the packed file. Nothing is timed. Stages that are done
are not repeated with the same --home.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

SHARES, METHODS = (0.8, 0.9, 0.95), ("magnitude", "lottery", "splice", "movement")
CANDIDATES: dict[str, dict[str, Any]] = {
    **{
        f"{share:.0%} sparse by {method}": {"weight_sparsity": share, "sparsity_method": method}
        for method in METHODS
        for share in SHARES
    },
    **{f"{count} clusters": {"weight_clusters": count} for count in (8, 16, 32, 256)},
    **{
        f"{share:.0%} sparse, {count} clusters": {"weight_sparsity": share, "weight_clusters": count}
        for share in SHARES
        for count in (16, 32)
    },
    "half the channels, 90% sparse, 16 clusters": {
        "channel_pruning": 0.5,
        "weight_sparsity": 0.9,
        "weight_clusters": 16,
    },
    "a quarter of the width, 80% sparse, 16 clusters": {
        "student_width": 0.25,
        "weight_sparsity": 0.8,
        "weight_clusters": 16,
    },
}
CHOICES = ("student_width", "channel_pruning", "weight_sparsity", "sparsity_method", "weight_clusters")


def measure(workload: str, seed: int, home: Path, only: str) -> Iterator[dict[str, Any]]:
    """A row for each candidate, or the reason why there is none under ``failed``."""
    from runners.chains.chain import Chains
    from runners.executors.inspection import inspect_on_this_machine
    from runners.stages.run import run_stage
    from runners.store.folder_store import FolderStore
    from spaces.configuration import Configuration
    from spaces.space_document import make_space

    environment, facts = inspect_on_this_machine(workload)
    offered = {name: [c[name] for c in CANDIDATES.values() if name in c] for name in CHOICES}
    space = make_space({**offered, "runtime": ["eager", "onnxruntime"]}, environment)
    chains, store = Chains(space, facts, workload, seed), FolderStore(home)

    def results(configuration: Configuration) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for task in chains.chain(configuration)[:-1]:
            outcome = run_stage(task, store)
            if outcome.failure:
                return {"failed": outcome.failure}
            done |= outcome.result
        return done

    teacher = results(space.baseline())
    reference = _accuracy(chains.teacher(), store, workload)
    yield {"candidate": "teacher", "seed": seed, "accuracy": reference, "stored_mib": teacher["size_mib"]}
    for name, chosen in CANDIDATES.items():
        if only not in name:
            continue
        method = {"sparsity_method": "magnitude"} if chosen.get("weight_sparsity") else {}
        found = results(Configuration({**space.baseline(), "runtime": "onnxruntime", **method, **chosen}))
        row = {"candidate": name, "seed": seed}
        if "failed" in found:
            yield {**row, "failed": found["failed"]}
            continue
        drop = 100 * (reference - found["accuracy"])
        figures = {"accuracy": found["accuracy"], "drop": drop, "stored_mib": found["stored_mib"]}
        yield {**row, **figures, "ratio": teacher["size_mib"] / found["stored_mib"]}


def _accuracy(task: Any, store: Any, workload: str) -> float:
    """The accuracy of the network that ``task`` wrote, on the validation split."""
    from runners.lowering.torch_predictor import torch_predictor
    from runners.lowering.weights import load_network
    from runners.quality.quality import EVALUATION_BATCH, predict, quality
    from runners.workload_loading.reference import resolve

    loaded = resolve(workload)
    network = load_network(loaded.network, store.get(task.key).folder)
    outputs = predict(torch_predictor(network, 1), loaded.splits["validation"], EVALUATION_BATCH)
    return float(quality(loaded, *outputs).value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--home", type=Path, help="a folder for finished stages")
    parser.add_argument("--json", action="store_true", help="a JSON document instead of a table")
    parser.add_argument("--only", default="", help="candidates whose name has this in it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home, rows = chosen.home or Path(scratch), list[dict[str, Any]]()
        for seed in range(chosen.seeds):
            for row in measure(chosen.workload, seed, home, chosen.only):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    print(json.dumps(rows, indent=1) if chosen.json else "\n".join(_table(rows)))


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'candidate':50} {'accuracy':>9} {'drop':>6} {'worst':>6} {'KiB':>7} {'ratio':>6}"
    for name in dict.fromkeys(row["candidate"] for row in rows):
        own = [row for row in rows if row["candidate"] == name and "failed" not in row]
        if not own:
            yield f"{name:50} {next(row['failed'] for row in rows if row['candidate'] == name)}"
            continue
        accuracy, kib = (mean(row[key] for row in own) for key in ("accuracy", "stored_mib"))
        drops, ratios = [row.get("drop", 0.0) for row in own], [row.get("ratio", 1.0) for row in own]
        yield (f"{name:50} {accuracy:9.2%} {mean(drops):6.2f} {max(drops):6.2f} {kib * 1024:7.1f} {mean(ratios):6.1f}")


if __name__ == "__main__":
    main()
