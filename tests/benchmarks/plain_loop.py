"""The search that a good engineer writes in an afternoon with Optuna and Ray: every trial is built from nothing.

    python tests/benchmarks/plain_loop.py --workload digits --trials 12 --out FOLDER

It searches the choices of the preset ``cpu`` that its two objectives can feel: replicas and training workers, which
change neither accuracy nor latency, are left out, so its space is the smaller one. The teacher is trained once, on all
cores, and stands in for the full width without being trained again. A trial is two Ray tasks: one builds the
network, on one core; one measures it, on all cores, so that nothing trains beside the stopwatch. Trials go in rounds,
as many as there are cores but four at least: first all are built, then they are measured one by one.

``FOLDER/results.json`` says of every finished trial when it was done, in seconds since this process began, and how
many seconds all training had taken by then. It is written after each round.
"""

import argparse
import json
import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import ray
import torch
import torch_pruning
from torch import nn
from torch.nn import functional

from runners.machine.telemetry import disable_telemetry
from runners.workload_loading.reference import resolve

CHOICES: dict[str, list[Any]] = {
    "width": [1.0, 0.5, 0.25],
    "pruning": [0.0, 0.5],
    "distillation": [0.0, 0.7],
    "temperature": [2.0, 4.0],
    "threads": [2**k for k in range(psutil.cpu_count().bit_length()) if 2**k <= psutil.cpu_count()],
}
BF16 = "bf16" in (Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else "")
PRECISIONS = {
    "eager": ["fp32", "bf16"],
    "torchscript": ["fp32", "bf16"],
    "onnxruntime": ["fp32", "int8"],
    "openvino": ["fp32", "bf16", "int8"],
}
FULL = {"width": 1.0, "pruning": 0.0, "runtime": "eager", "precision": "fp32", "threads": 1}


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Choices that go together: no distilling without training, and no precision that the runtime lacks."""
    config = {name: trial.suggest_categorical(name, CHOICES[name]) for name in ("width", "pruning", "threads")}
    if config["width"] < 1 or config["pruning"] > 0:
        config["distillation"] = trial.suggest_categorical("distillation", CHOICES["distillation"])
        if config["distillation"] > 0:
            config["temperature"] = trial.suggest_categorical("temperature", CHOICES["temperature"])
    runtime = config["runtime"] = trial.suggest_categorical("runtime", list(PRECISIONS))
    allowed = [precision for precision in PRECISIONS[runtime] if BF16 or precision != "bf16"]
    config["precision"] = trial.suggest_categorical(f"precision of {runtime}", allowed)
    return config


def cut(network: nn.Module, example: torch.Tensor, share: float, importance: Any) -> nn.Module:
    """Remove a share of the channels, all but those of the last layer, whose outputs are the classes."""
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    torch_pruning.pruner.BasePruner(
        network, example, importance=importance, pruning_ratio=share, ignored_layers=[last], round_to=4
    ).step()
    return network


def train(network: nn.Module, workload: Any, seed: int, teacher: nn.Module | None, config: dict[str, Any]) -> None:
    """One-cycle SGD as the workload plans it, in bf16 where the CPU has that, with soft targets where asked for."""
    plan, split, random = workload.training, workload.splits["train"], np.random.default_rng(seed)
    steps = max(1, len(split) // plan.batch_size)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=steps * plan.epochs)
    generator = torch.Generator().manual_seed(seed)
    share, heat = config.get("distillation", 0.0), config.get("temperature", 1.0)
    network.to(memory_format=torch.channels_last).train()
    for _ in range(plan.epochs):
        order = random.permutation(len(split))
        for first in range(0, steps * plan.batch_size, plan.batch_size):
            images, targets = map(torch.from_numpy, split.batch(order[first : first + plan.batch_size]))
            images = workload.augment(images, generator) if workload.augment else images
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
                outputs = network(images).float()
                with torch.no_grad():
                    soft = teacher(images).float() if teacher is not None and share else None
            loss = (workload.loss or functional.cross_entropy)(outputs, targets)
            if soft is not None:
                pair = functional.log_softmax(outputs / heat, 1), functional.softmax(soft / heat, 1)
                loss = (1 - share) * loss + share * heat**2 * functional.kl_div(*pair, reduction="batchmean")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.to(memory_format=torch.contiguous_format).eval()


def build(reference: Any, folder: Path, config: dict[str, Any], seed: int) -> float:
    """Make the network, train it, quantise and lower it into ``folder``; gives the seconds of training."""
    disable_telemetry()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    workload, seconds = resolve(reference), 0.0
    example = torch.from_numpy(workload.example_inputs.arrays[0])
    network, teacher = workload.model(), workload.model()
    teacher.load_state_dict(torch.load(folder.parent / "teacher.pth"))
    if config["width"] < 1:
        network = cut(network, example, 1 - config["width"], torch_pruning.importance.RandomImportance())
        for layer in network.modules():
            getattr(layer, "reset_parameters", lambda: None)()
    else:
        network.load_state_dict(teacher.state_dict())
    if config["pruning"] > 0:
        network = cut(network, example, config["pruning"], torch_pruning.importance.MagnitudeImportance(p=1))
    if config["width"] < 1 or config["pruning"] > 0:
        begin = time.perf_counter()
        train(network, workload, seed, teacher.eval(), config)
        seconds = time.perf_counter() - begin
    folder.mkdir()
    lower(network.eval(), workload, example, folder, config)
    return seconds


def lower(network: nn.Module, workload: Any, example: torch.Tensor, folder: Path, config: dict[str, Any]) -> None:
    """Write what the runtime opens."""
    runtime, pair = config["runtime"], example.repeat(2, *[1] * (example.dim() - 1))
    network = network.bfloat16() if config["precision"] == "bf16" and runtime != "openvino" else network
    if runtime == "eager":
        torch.save(network, folder / "model.pth")
        return
    if runtime == "torchscript":
        with torch.no_grad():
            traced = torch.jit.trace(network, pair.to(next(network.parameters()).dtype), check_trace=False)
            torch.jit.save(torch.jit.freeze(traced), folder / "model.pt")
        return
    path, batch = folder / "model.onnx", {0: torch.export.Dim("batch")}
    names: Any = {"input_names": ["input"], "output_names": ["output"], "external_data": False, "verbose": False}
    torch.onnx.export(network, (pair,), path, dynamo=True, dynamic_shapes=(batch,), **names)
    if config["precision"] == "int8":
        import nncf
        import onnx

        images = workload.splits["train"].batch(np.arange(min(128, len(workload.splits["train"]))))[0]
        calibration = nncf.Dataset(list(images[:, None]), lambda image: {"input": image})
        onnx.save(nncf.quantize(onnx.load(path), calibration, subset_size=len(images)), path)


def load(folder: Path, config: dict[str, Any], batch: int) -> Any:
    """The artifact as a function on arrays, for batches of one size (-1 is any)."""
    threads, bf16 = config["threads"], config["precision"] == "bf16"
    if config["runtime"] == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(None, {"input": inputs})[0]
    if config["runtime"] == "openvino":
        import openvino

        model = openvino.Core().read_model(folder / "model.onnx")
        model.reshape([batch, *list(model.input(0).partial_shape)[1:]])
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
        compiled = openvino.Core().compile_model(model, "CPU", hints | {"INFERENCE_NUM_THREADS": threads})
        request = compiled.create_infer_request()
        return lambda inputs: np.array(request.infer({0: inputs}, share_inputs=True)[0])
    if config["runtime"] == "eager":
        module = torch.load(folder / "model.pth", weights_only=False)  # written by this program
    else:
        module = torch.jit.optimize_for_inference(torch.jit.load(folder / "model.pt"))
    dtype = torch.bfloat16 if bf16 else torch.float32

    def predict(inputs: Any) -> Any:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return module(torch.from_numpy(inputs).to(dtype)).float().numpy()

    return predict


def measure(reference: Any, folder: Path, config: dict[str, Any]) -> tuple[float, float]:
    """Accuracy on the validation split, and the median milliseconds of 50 calls after 10 warm-ups."""
    disable_telemetry()
    workload = resolve(reference)
    split, example = workload.splits["validation"], workload.example_inputs.arrays[0]
    predict = load(folder, config, -1)
    parts = [split.batch(np.arange(i, min(i + 64, len(split)))) for i in range(0, len(split), 64)]
    outputs = np.concatenate([predict(inputs) for inputs, _ in parts])
    accuracy = float(workload.metric(outputs, np.concatenate([targets for _, targets in parts])))
    predict, times = load(folder, config, 1), []
    for _ in range(60):
        begin = time.perf_counter()
        predict(example)
        times.append(time.perf_counter() - begin)
    return accuracy, float(np.median(times[10:])) * 1e3


def attempt(task: Any, nothing: Any) -> tuple[Any, str]:
    """What a task gave, or ``nothing`` and why it failed, in a line: a failed trial must not end the search."""
    try:
        return ray.get(task), ""
    except Exception as error:
        cause = getattr(error, "cause", None) or error  # what Ray wraps in a traceback of its own
        return nothing, f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}"


def search(reference: Any, trials: int, seed: int, out: Path) -> None:
    """Train the teacher and run the study."""
    start, cores = psutil.Process().create_time(), len(os.sched_getaffinity(0))
    out.mkdir(parents=True, exist_ok=True)
    ray.init("local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    building = ray.remote(num_cpus=1, max_retries=0)(build).remote
    measuring = ray.remote(num_cpus=cores, max_retries=0)(measure).remote
    torch.set_num_threads(cores)
    torch.manual_seed(seed)
    workload, begin = resolve(reference), time.perf_counter()
    teacher = workload.model()
    if not workload.pretrained:
        train(teacher, workload, seed, None, {})
    trained_s = teacher_s = time.perf_counter() - begin
    torch.save(teacher.state_dict(), out / "teacher.pth")
    ray.get(building(reference, out / "teacher", FULL, seed))
    accuracy, baseline_ms = ray.get(measuring(reference, out / "teacher", FULL))
    figures = {"accuracy": accuracy, "latency_ms": baseline_ms, "train_s": teacher_s}
    results: list[dict[str, Any]] = []
    document = {"began": start, "choices": CHOICES | PRECISIONS, "teacher": figures, "trials": results}

    # TPE is what Optuna takes by default, for several objectives too.
    study = optuna.create_study(directions=["maximize", "maximize"], sampler=optuna.samplers.TPESampler(seed=seed))
    while len(results) < trials:
        asked = [study.ask() for _ in range(min(max(4, cores), trials - len(results)))]
        configs = [suggest(trial) for trial in asked]
        folders = [out / f"trial-{trial.number}" for trial in asked]
        tasks = [building(reference, folder, config, seed) for folder, config in zip(folders, configs, strict=True)]
        built = [attempt(task, 0.0) for task in tasks]
        trained_s += sum(seconds for seconds, _ in built)
        for trial, config, folder, (_, failure) in zip(asked, configs, folders, built, strict=True):
            entry: dict[str, Any] = {"trial": trial.number, "configuration": config, "folder": str(folder)}
            if not failure:
                (accuracy, ms), failure = attempt(measuring(reference, folder, config), (0.0, 0.0))
            if failure:
                entry["failure"] = failure
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                entry |= {"accuracy": accuracy, "latency_ms": ms, "speedup": baseline_ms / ms}
                study.tell(trial, [accuracy, baseline_ms / ms])
            results.append(entry | {"wall_s": time.time() - start, "train_s": trained_s})
            print(json.dumps(results[-1]), flush=True)
        (out / "results.json").write_text(json.dumps(document, indent=1))


def main() -> None:
    """Read the flags and search."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workload", default="digits", help="how frontrunner refers to it, mappings as JSON")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder of results.json and the artifacts")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    disable_telemetry()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    mapping = given.workload.startswith("{")
    search(json.loads(given.workload) if mapping else given.workload, given.trials, given.seed, given.out.absolute())


if __name__ == "__main__":
    main()
