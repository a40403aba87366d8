"""What int8 loses on a trained network with each choice of how it is quantised, and how much faster it is than fp32.

    python tests/benchmarks/int8.py --data DIR                              ResNet-18, trained here: most of an hour
    python tests/benchmarks/int8.py --data DIR --quick                      plain int8 and the default alone
    python tests/benchmarks/int8.py --data DIR --model timm:efficientnet_lite0 --image-size 64 --weights FILE
    python tests/benchmarks/int8.py --workload digits --runtime onnxruntime --olive        needs `pip install olive-ai`

DIR has train, val and test with a folder for each class. Every row is quantised, lowered and evaluated by the stages of
a search. Accuracy is that of the artifact; the drop is from fp32 in the same runtime, with the interval of the paired
difference, on the validation and the test images, which neither calibration nor training sees. The speedup is over fp32
in the same runtime too: all artifacts of a runtime are timed in turn, in randomised blocks of one process, on one
thread with one image a call. What is done is not repeated with the same --home: ended early, it goes on where it was.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from parts.int8_choices import CHOICES, DEFAULT, FP32, PLAIN
from parts.olive_grid import olive_artifacts

SPLITS = ("validation", "test")
BUDGET_S = 1.2
"""Seconds of timing for each row."""


class Quantised:
    """The artifacts of one network, each lowered and evaluated once.

    Args:
        workload: The name of one, or a mapping as in a study file.
        home: Where the results of stages are kept.
    """

    def __init__(self, workload: str | Mapping[str, Any], home: Path) -> None:
        from runners.chains.candidate_stages import CandidateStages
        from runners.executors.inspection import inspect_on_this_machine
        from runners.store.folder_store import FolderStore
        from spaces.space_document import make_space

        values: dict[str, list[Any]] = {"numeric_precision": ["fp32", "int8"], "runtime": ["eager", *CHOICES]}
        for chosen in (chosen for rows in CHOICES.values() for chosen in rows.values()):
            for name, value in chosen.items():
                values[name] = [*dict.fromkeys([*values.get(name, []), value])]
        self.workload, environment_and_facts = workload, inspect_on_this_machine(workload, values)
        self._space = make_space(values, environment_and_facts[0])
        self._stages = CandidateStages(self._space, environment_and_facts[1], workload, 0, lambda epochs: (epochs,))
        self._store = FolderStore(home)

    def made(self, runtime: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The figures of an artifact with its ``folder``, or why there is none under ``failed``."""
        from runners.stages.run import run_stage

        point = {"numeric_precision": "int8", "runtime": runtime, **chosen}
        found = self._configuration(point)
        if isinstance(found, str):
            return {"failed": found}
        network = self._stages.network(found)
        lowering = self._stages.lowering(found, network[-1])
        inputs = {"parent": lowering[-1].key, "network": lowering[0].inputs["parent"]}
        evaluating = self._stages.task("evaluating", found, {"splits": list(SPLITS)}, inputs)
        figures: dict[str, Any] = {}
        for task in (*network, *lowering, evaluating):
            print(f"  {task.stage}", file=sys.stderr, flush=True)
            outcome = run_stage(task, self._store)
            if outcome.failure:
                return {"failed": outcome.failure}
            figures |= outcome.result
        stored = self._store.get(lowering[-1].key)
        assert stored is not None
        return {**figures, "folder": stored.folder}

    def speedups(self, runtime: str, folders: Mapping[str, Path], budget_s: float) -> dict[str, dict[str, Any]]:
        """The speed of all artifacts of a runtime over the first, by name; pins this process to one core."""
        from runners.measuring.opening import Artifact
        from runners.measuring.pair import prepare_process
        from runners.measuring.stopwatch import TimingSettings, time_interleaved
        from runners.workload_loading.reference import resolve

        prepare_process(1)
        resolved = resolve(self.workload)
        example = resolved.example_inputs.arrays
        opened = [Artifact(folder, runtime, threads=1).open(resolved.network) for folder in folders.values()]
        first, *others = [lambda predictor=each: predictor(*example) for each in opened]
        timings = time_interleaved(first, others, TimingSettings(budget_s, seed=0)) if others else []
        return {
            name: {"speedup": each.speedup, "speedup_ci95": each.speedup_ci95, "unstable": each.unstable}
            for name, each in zip([*folders][1:], timings, strict=True)
        }

    def _configuration(self, point: Mapping[str, Any]) -> Any:
        """The configuration that chooses ``point``, or why the space has none."""
        from spaces.configuration import Configuration
        from spaces.technique import Earlier

        found: dict[str, Any] = {}
        for axis in self._space.axes:
            earlier, environment = Earlier(found, model_changed=False), self._space.environment
            if axis.relevant(earlier, environment):
                value = point.get(axis.name, axis.neutral(environment))
                if reason := axis.reason(value, earlier, environment):
                    return f"{axis.name} {value}: {reason}"
                found[axis.name] = value
        return Configuration(found)


def measure(
    network: Quantised, names: Mapping[str, list[str]], budget_s: float, olive: Path | None
) -> Iterator[dict[str, Any]]:
    """A row for each of the choices called ``names``, by runtime, of which fp32 is the first.

    Args:
        network: Makes the artifacts.
        names: Of `CHOICES`.
        budget_s: Seconds of timing for each row.
        olive: Where the files of Olive go, each with a row; None for none.
    """
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for runtime in names:
        made[runtime] = {}
        for name in names[runtime]:
            print(f"{runtime}, {name}", file=sys.stderr, flush=True)
            chosen = CHOICES[runtime][name]
            made[runtime][name] = {"chosen": chosen, **network.made(runtime, chosen)}
        if "failed" in made[runtime][FP32]:
            raise SystemExit(f"{runtime}: {made[runtime][FP32]['failed']}")
        if olive and runtime == "onnxruntime":
            made[runtime].update(olive_artifacts(network.workload, made[runtime][FP32]["folder"], olive))
    for runtime, found in made.items():
        folders = {name: each["folder"] for name, each in found.items() if "folder" in each}
        speeds = network.speedups(runtime, folders, budget_s)
        for name, each in found.items():
            row = {"runtime": runtime, "choice": name, "chosen": each["chosen"]}
            if "failed" in each:
                yield {**row, "failed": each["failed"]}
            else:
                figures = {key: each[key] for key in ("accuracy", "accuracy_test", "size_mib")}
                yield {**row, **figures, **_drops(each, found[FP32]), **speeds.get(name, {})}


def _drops(ours: Mapping[str, Any], fp32: Mapping[str, Any]) -> dict[str, Any]:
    from runners.quality.answers import answers_of_stage
    from runners.quality.paired_difference import difference_ci95

    mine, reference = answers_of_stage(ours), answers_of_stage(fp32)
    return {
        "drop": {
            split: fp32[key] - ours[key] for split, key in zip(SPLITS, ("accuracy", "accuracy_test"), strict=True)
        },
        "drop_ci95": {split: difference_ci95(reference[split], mine[split]) for split in SPLITS},
    }


def line_of(row: Mapping[str, Any]) -> str:
    """The row in one line: accuracies in per cent, drops in points."""
    begin = f"{row['runtime']:12} {row['choice']:34}"
    if "failed" in row:
        return f"{begin} {row['failed']}"
    found = f"{begin} {100 * row['accuracy']:5.2f} % {100 * row['accuracy_test']:5.2f} %"
    for split in SPLITS if "speedup" in row else ():
        low, high = (100 * end for end in row["drop_ci95"][split])
        found += f"  {100 * row['drop'][split]:5.2f} ({low:.2f} to {high:.2f})"
    if "speedup" in row:
        low, high = row["speedup_ci95"]
        found += f"  {row['speedup']:5.2f}x ({low:.2f} to {high:.2f})"
    return f"{found}  {row['size_mib']:.2f} MiB{'  ' + row['unstable'] if row.get('unstable') else ''}"


def main() -> None:
    """Run it."""
    from runners.machine.telemetry import disable_telemetry

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder with train, val and test")
    source.add_argument("--workload", help="a workload that Frontrunner has, or a file of one, in place of all that")
    parser.add_argument("--model", default="torchvision:resnet18", help="as in a study file")
    parser.add_argument("--weights", type=Path, help="its trained weights; without them it is trained first")
    parser.add_argument("--image-size", type=int, help="side of the images in pixels")
    parser.add_argument("--epochs", type=int, default=8, help="of its training, which tuning takes its pace from")
    parser.add_argument("--runtime", action="append", choices=[*CHOICES], help="one runtime, and another one")
    parser.add_argument("--choice", action="append", help="one row, and another one; by default all")
    parser.add_argument("--home", type=Path, help="where results of stages are kept; by default nowhere")
    parser.add_argument("--olive", action="store_true", help="all that Olive's quantisation has for ONNX Runtime, too")
    parser.add_argument("--quick", action="store_true", help="few rows, trained for an epoch, shortly timed")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    wanted = parser.parse_args()
    disable_telemetry()
    given = {"weights": wanted.weights and str(wanted.weights.resolve()), "image_size": wanted.image_size}
    workload = wanted.workload or {
        "model": wanted.model,
        "data": {"imagefolder": str(wanted.data.resolve())},
        "epochs": 1 if wanted.quick else wanted.epochs,
        **{key: value for key, value in given.items() if value},
    }
    chosen = [PLAIN, DEFAULT] if wanted.quick else wanted.choice
    rows = []
    with tempfile.TemporaryDirectory() as nowhere:
        network = Quantised(workload, wanted.home or Path(nowhere))
        names = {
            runtime: [name for name in CHOICES[runtime] if name == FP32 or chosen is None or name in chosen]
            for runtime in wanted.runtime or CHOICES
        }
        olive = Path(nowhere) / "olive" if wanted.olive else None
        for row in measure(network, names, 0.3 if wanted.quick else BUDGET_S, olive):
            rows.append(row)
            if not wanted.json:
                print(line_of(row), flush=True)
    if wanted.json:
        print(json.dumps({"workload": workload, "rows": rows}))


if __name__ == "__main__":
    main()
